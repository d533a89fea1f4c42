package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"lathe/graphgen/arch"
)

// load reads a configuration file of this text with the environment given.
func load(t *testing.T, text string, env ...string) (*loaded, error) {
	t.Helper()
	for _, kv := range os.Environ() { // not that of whoever runs the tests
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "LATHE_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), configFile)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return loadConfig(file, nil)
}

// another is a value of a setting that is not its default.
func (s setting) another() any {
	switch def := s.def.(type) {
	case []string:
		return []string{"another", "one more"}
	case bool:
		return !def
	case int:
		return def + 7
	case float64:
		return def + 0.25
	case uint64:
		return uint64(math.MaxUint64)
	}
	return "another"
}

// Every key can be set in a file, by a variable and by a flag, counts in that
// order, and says where it came from.
func TestEverySetting(t *testing.T) {
	for _, s := range settings {
		t.Run(s.key, func(t *testing.T) {
			if s.help == "" {
				t.Error("nothing says what it means")
			}
			if _, isList := s.def.([]string); isList {
				checkListSetting(t, s)
				return
			}
			l, err := load(t, "")
			if err != nil || l.value(s) != s.def || l.origin(s.key) != "default" {
				t.Fatalf("by default %v from %s, %v, want %v", l.value(s), l.origin(s.key), err, s.def)
			}

			parts := strings.Split(s.key, ".")
			text := ""
			for i, p := range parts {
				text += strings.Repeat("  ", i) + p + ":\n"
			}
			text = strings.TrimSuffix(text, "\n") + fmt.Sprintf(" %v\n", s.another())
			l, err = load(t, text)
			if err != nil || l.value(s) != s.another() || !strings.HasSuffix(l.origin(s.key), fmt.Sprintf("%s:%d", configFile, len(parts))) {
				t.Fatalf("file %q: %v from %s, %v", text, l.value(s), l.origin(s.key), err)
			}

			env := fmt.Sprintf("%s=%v", envName(s.key), s.another())
			def := strings.Replace(text, fmt.Sprint(s.another()), strconv.Quote(fmt.Sprint(s.def)), 1)
			if _, isText := s.def.(string); !isText {
				def = strings.Replace(text, fmt.Sprint(s.another()), fmt.Sprint(s.def), 1)
			}
			l, err = load(t, def, env)
			if err != nil || l.value(s) != s.another() || l.origin(s.key) != "environment "+envName(s.key) {
				t.Errorf("%s over the file: %v from %s, %v", env, l.value(s), l.origin(s.key), err)
			}
			if l, err = load(t, text, envName(s.key)+"="); err != nil || l.value(s) != s.another() {
				t.Errorf("an empty variable: %v from %s, %v", l.value(s), l.origin(s.key), err)
			}
			if _, isText := s.def.(string); !isText {
				if _, err = load(t, "", envName(s.key)+"=zebra"); err == nil || !strings.Contains(err.Error(), envName(s.key)+` is "zebra"`) {
					t.Errorf("zebra in the environment: %v", err)
				}
			}

			fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
			fs.String("it", "", "")
			fs.Set("it", fmt.Sprint(s.another()))
			t.Setenv(envName(s.key), fmt.Sprint(s.def))
			l, err = loadConfig("", map[string]*pflag.Flag{s.key: fs.Lookup("it")})
			if err != nil || l.value(s) != s.another() || l.origin(s.key) != "flag --it" {
				t.Errorf("the flag over the environment: %v from %s, %v", l.value(s), l.origin(s.key), err)
			}
		})
	}
}

// checkListSetting does what the others' test does for a list, which no flag sets.
func checkListSetting(t *testing.T, s setting) {
	t.Helper()
	section, key, _ := strings.Cut(s.key, ".")
	text := fmt.Sprintf("%s:\n  %s: [another, one more]\n", section, key)
	for _, c := range []struct {
		text   string
		env    []string
		want   any
		origin string
	}{
		{"", nil, s.def, "default"},
		{text, nil, s.another(), configFile + ":2"},
		{strings.Replace(text, "another", "third", 1), []string{envName(s.key) + "=another,one more"}, s.another(), "environment " + envName(s.key)},
	} {
		l, err := load(t, c.text, c.env...)
		if err != nil || !reflect.DeepEqual(l.value(s), c.want) || !strings.HasSuffix(l.origin(s.key), c.origin) {
			t.Errorf("file %q, environment %q: %v from %s, %v; want %v from %s", c.text, c.env, l.value(s), l.origin(s.key), err, c.want, c.origin)
		}
	}
}

// Every flag that is bound to a key is bound to one that there is.
func TestBoundFlags(t *testing.T) {
	a := new(app)
	newRoot(a)
	for _, b := range a.flags {
		i := slices.IndexFunc(settings, func(s setting) bool { return s.key == b.key })
		if i < 0 {
			t.Errorf("--%s sets %s, which is no setting", b.flag.Name, b.key)
			continue
		}
		if got, want := b.flag.Value.Type(), fmt.Sprintf("%T", settings[i].def); got != want {
			t.Errorf("--%s is of type %s, %s of %s", b.flag.Name, got, b.key, want)
		}
	}
}

func TestSpaceOfAFile(t *testing.T) {
	l, err := load(t, "space:\n  vocab: 500\n  n_layer: {max: 4, min: 2}\n  n_head:\n    choices:\n      - 2\n")
	if err != nil {
		t.Fatal(err)
	}
	def := arch.PaperSpace()
	if l.Space.Vocab != 500 || l.Space.NLayer.Min != 2 || l.Space.NLayer.Max != 4 || l.Space.NLayer.Step != 0 ||
		!slices.Equal(l.Space.NHead.Choices, []int{2}) || l.Space.DModel.Max != def.DModel.Max || !slices.Equal(l.Space.Constraints, def.Constraints) {
		t.Errorf("%+v", l.Space)
	}
	for key, want := range map[string]string{
		"space.vocab": ":2", "space.n_layer": ":3", "space.n_head": ":5", "space.d_model": "default", "space.constraints": "default",
	} {
		if got := l.spaceOrigin(key); !strings.HasSuffix(got, want) {
			t.Errorf("%s is from %s, want %s", key, got, want)
		}
	}
	if l, err = load(t, "space: {constraints: []}\n"); err != nil || len(l.Space.Constraints) != 0 {
		t.Errorf("no constraints: %v, %v", l.Space.Constraints, err)
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"sed: 1":                             `:1: unknown key "sed": did you mean seed?`,
		"# one\n\nstores: x":                 `:3: unknown key "stores": did you mean store?`,
		"Seed: 1":                            `:1: unknown key "Seed": did you mean seed?`,
		"timing:\n  pl_pair: 3":              `:2: unknown key "timing.pl_pair": did you mean timing.pl_pairs?`,
		"space:\n  n_layer:\n    mx: 3":      `:3: unknown key "space.n_layer.mx": did you mean space.n_layer.max?`,
		"search: {zebra: 1}":                 `known are builds, by, cost_weight, evaluations, iterations, limits, loadable_by, method, objectives, population, proxy, quality, request_tokens, samples, trained, trained_higher_is_better, trained_quality, visits`,
		"tl_pairs: 3":                        `:1: unknown key "tl_pairs": did you mean timing.tl_pairs?`,
		"timing.tl_pairs: 3":                 `the parts of a key stand below each other`,
		"seed: one":                          `:1: seed must be a whole number from 0 on`,
		"seed: -1":                           `seed must be a whole number from 0 on`,
		"seed: 18446744073709551616":         `seed must be a whole number from 0 on`,
		"seed:":                              `seed must be a whole number from 0 on`,
		"timing: {pl_pairs: 1.5}":            `timing.pl_pairs must be a whole number`,
		"timing: {pl_pairs: true}":           `timing.pl_pairs must be a whole number`,
		"timing: {pl_pairs: [1]}":            `timing.pl_pairs must be a whole number`,
		"timing: {pl_pairs: '1'}":            `timing.pl_pairs must be a whole number`,
		"runtime: {offline: 1}":              `runtime.offline must be true or false`,
		"nightly: {min_effect: 3%}":          `nightly.min_effect must be a share over 0 and under 1, such as 0.03 for 3 %`,
		"nightly: {min_effect: 3}":           `nightly.min_effect must be a share`,
		"nightly: {min_effect: .nan}":        `nightly.min_effect must be a share`,
		"nightly: {budget_s: -1}":            `nightly.budget_s must be a whole number from 0 on`,
		"nightly: {keep: -1}":                `nightly.keep must be a whole number from 0 on`,
		"nightly: {keep_samples: -1}":        `nightly.keep_samples must be a whole number from 0 on`,
		"store: 5":                           `store must be text (in quotes`,
		"build: {precision: int4b32}":        `build must be text`,
		"space: {n_head: {choices: 4}}":      `space.n_head.choices must be a list of whole numbers`,
		"space: {n_head: {choices: [4, a]}}": `space.n_head.choices must be a list of whole numbers`,
		"space: {constraints: n_layer > 2}":  `space.constraints must be a list of texts`,
		"space: {n_layer: [1, 2]}":           `space.n_layer must be keys and values`,
		"- seed":                             `the file must be keys and values`,
		"seed: 1\nseed: 2":                   `:2: seed is given twice`,
		"seed: 1\n---\nseed: 2":              `a second document`,
		"seed: [":                            `not YAML: line 1`,
		"seed: *a":                           `not YAML: unknown anchor`,
		"? [a]\n: 1":                         `unknown key ""`,
		"timing: &t {<<: *t}":                `:1: `,
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), configFile) || !isInputError(err) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"", "# nothing", "---\n", "null", "timing:\n  # all of it\n", "seed: &a 3\nsearch: {samples: *a}", "seed: 0x10", "store: \"5\""} {
		if _, err := load(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A variable is held to what a file is.
func TestBadVariables(t *testing.T) {
	for env, want := range map[string]string{
		"LATHE_NIGHTLY_MIN_EFFECT=3%":   `LATHE_NIGHTLY_MIN_EFFECT is "3%"; it must be a share over 0 and under 1, such as 0.03 for 3 %`,
		"LATHE_NIGHTLY_MIN_EFFECT=-0.1": `it must be a share`,
		"LATHE_NIGHTLY_KEEP=-1":         `LATHE_NIGHTLY_KEEP is "-1"; it must be a whole number from 0 on`,
	} {
		t.Run(env, func(t *testing.T) {
			if _, err := load(t, "", env); err == nil || !strings.Contains(err.Error(), want) || !isInputError(err) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// Whatever a file holds, it is refused as input with the file's name, or every
// key in it has its line and the value that is in force is of its kind.
func FuzzConfigFile(f *testing.F) {
	for _, seed := range []string{
		tiny, "", "# x", "seed: 3", "timing:\n  tl_pairs: 5\n", "space: {n_layer: {min: 1}}", "space: {constraints: [a]}", "a: [", "seed: &a 1\nstore: *a",
		"seed: 1\nseed: 2", "---\n---\n", "runtime: {offline: yes}", "space:\n  n_head: {choices: [1, 2]}\n", "seed: 18446744073709551615", "? {a: b}\n: c",
		"search: &s\n  samples: 1\n", "!!map {seed: 3}", "seed: !!int '3'", "timing: {<<: {tl_pairs: 1}}", "\xff\xfe", "seed: 1e3", "store: 2024-01-01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLoaded()
		err := l.parse("fuzz.yaml", data)
		if err == nil {
			err = l.decode()
		}
		if err != nil {
			if !strings.Contains(err.Error(), "fuzz.yaml") {
				t.Errorf("an error that does not say where: %v", err)
			}
			return
		}
		for key, line := range l.lines {
			if _, known := keyKinds[key]; !known || line < 1 {
				t.Errorf("key %q on line %d", key, line)
			}
		}
		for _, s := range settings {
			if got, want := fmt.Sprintf("%T", l.value(s)), fmt.Sprintf("%T", s.def); got != want {
				t.Errorf("%s is of type %s, not %s", s.key, got, want)
			}
		}
	})
}
