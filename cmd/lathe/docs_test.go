package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words splits a command line as a shell does, comments left out.
func words(line string) (out []string) {
	for _, m := range regexp.MustCompile(`#.*$|"([^"]*)"|'([^']*)'|([^\s"'#]+)`).FindAllStringSubmatch(line, -1) {
		if !strings.HasPrefix(m[0], "#") {
			out = append(out, m[1]+m[2]+m[3])
		}
	}
	return out
}

// checkLine reports whether a command line is one that the program takes: its
// command, flags and number of arguments.
func checkLine(args []string) error {
	root := newRoot(new(app))
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root {
		return unknownCommand(root, fmt.Sprint(rest))
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// Every command shows what it is for and an example that the program takes.
func TestHelp(t *testing.T) {
	var names []string
	root := newRoot(new(app))
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		names = append(names, c.Name())
		var out bytes.Buffer
		if code := run(t.Context(), []string{c.Name(), "--help"}, &out, &out); code != exitOK || !strings.Contains(out.String(), "Examples:\n") {
			t.Errorf("lathe %s --help: exit status %d, without an example\n%s", c.Name(), code, out.String())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.Name(), c.Short)
		}
		for _, line := range strings.Split(c.Example, "\n") {
			checkExample(t, c.Name(), line)
		}
	}
	for _, line := range strings.Split(root.Example, "\n") {
		checkExample(t, "lathe", line)
	}
	if want := []string{"calibrate", "complete", "config", "demo", "doctor", "emit", "eval", "export", "finetune", "fit", "front", "import", "inspect", "measure", "nightly", "predict", "profile", "proxy", "report", "search", "show", "study", "tokenizer", "train", "verify", "workload"}; !slices.Equal(names, want) {
		t.Errorf("commands %v, want %v", names, want)
	}
}

func checkExample(t *testing.T, where, line string) {
	t.Helper()
	for _, one := range strings.Split(line, "&&") {
		w := words(one)
		for len(w) > 0 && strings.Contains(w[0], "=") { // a variable
			w = w[1:]
		}
		if len(w) == 0 || w[0] != "lathe" {
			t.Errorf("%s: example %q runs no lathe", where, line)
			continue
		}
		if at := slices.Index(w, ">"); at >= 0 { // the shell's, with the file behind it
			w = w[:at]
		}
		if err := checkLine(w[1:]); err != nil {
			t.Errorf("%s: example %q: %v", where, line, err)
		}
	}
}

var (
	codeBlock = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")
	docLine   = regexp.MustCompile(`^(?: {4}|\$ |  |)(?:time )?(?:\./lathe|lathe|go run \./cmd/lathe) (.+)$`)
)

// docLines are the command lines of a document, continued ones joined.
func docLines(t *testing.T, path string) (lines [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), "")
	for _, line := range strings.Split(joined, "\n") {
		if m := docLine.FindStringSubmatch(line); m != nil {
			lines = append(lines, words(m[1]))
		}
	}
	return lines
}

// What the documents tell people to type is taken.
func TestDocumentedCommands(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range append(files, filepath.Join("..", "..", "README.md")) {
		for _, args := range docLines(t, file) {
			total++
			if err := checkLine(args); err != nil {
				t.Errorf("%s: lathe %s: %v", file, strings.Join(args, " "), err)
			}
		}
	}
	if total < 8 {
		t.Errorf("only %d command lines were found", total)
	}
}

// guides are what a new user reads and types, in this order.
func guides() (files []string) {
	root := filepath.Join("..", "..")
	for _, name := range []string{"README.md", "docs/SEARCH.md", "docs/MODELS.md", "docs/DEPLOY.md"} {
		files = append(files, filepath.Join(root, filepath.FromSlash(name)))
	}
	return files
}

// README's own search, and what the guides go on with, is run as it stands there, with fewer
// samples.
func TestReadme(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	var text []byte
	var lines [][]string
	for _, guide := range guides() {
		one, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, one...)
		for _, line := range docLines(t, guide) {
			if !slices.ContainsFunc(lines, func(l []string) bool { return slices.Equal(l, line) }) {
				lines = append(lines, line)
			}
		}
	}
	dir := t.TempDir()
	saved := false
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if block[1] == "yaml" && strings.HasPrefix(block[2], "baseline:") {
			saved = true
			if err := os.WriteFile(filepath.Join(dir, "small.yaml"), []byte(block[2]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if block[1] == "yaml" && strings.HasPrefix(block[2], "spec:") {
			if err := os.WriteFile(filepath.Join(dir, "candidate.yaml"), []byte(block[2]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !saved {
		t.Fatal("no small.yaml in it")
	}
	mail := strings.Repeat("Shall we meet on Tuesday, or would you rather have it done by then?\n", 8)
	if err := os.WriteFile(filepath.Join(dir, "mail.txt"), []byte(mail), 0o644); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	lines = append(lines, []string{"show", "candidate.yaml"}, []string{"doctor"}, []string{"config"})
	for _, args := range lines {
		line := strings.Join(args, " ")
		if slices.Contains([]string{"demo", "calibrate", "complete", "study"}, args[0]) || strings.Contains(line, "--complete") || strings.Contains(line, "lathe-demo") || strings.Contains(line, "stories.txt") || args[0] == "profile" && strings.Contains(line, "gpt2-l12-d1024") {
			continue // minutes, a gigabyte of weights, or a model that is not there: run elsewhere
		}
		cmd := exec.Command("lathe", args...)
		cmd.Dir = dir
		cmd.Env = append(environment(t), "LATHE_TIMING_PL_PAIRS=4", "LATHE_TIMING_TL_PAIRS=12", "LATHE_SEARCH_SAMPLES=20")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("lathe %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		ran[args[0]]++
	}
	for _, name := range []string{"search", "measure", "predict", "fit", "front", "emit", "show", "workload"} {
		if ran[name] == 0 {
			t.Errorf("the guides show no lathe %s", name)
		}
	}
	for _, file := range []string{"front.svg", "front.png", "pick/model.onnx", "pick/model.onnx_data"} {
		if !exists(filepath.Join(dir, file)) {
			t.Errorf("the guides' commands made no %s", file)
		}
	}
}
