package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A client is a package client of the user's, run as they would run it: its
// configuration, mirrors and credentials apply.
type client struct {
	source Source
	argv   []string // the program and its first arguments
}

func (c client) String() string { return strings.Join(c.argv, " ") }

// takeFunc copies one pinned file out of what was downloaded.
type takeFunc func(f pinnedFile, to string) error

// findClients lists the clients that are there: the first pip that says that
// it is one, and uv. What there is no use in asking is in the attempts.
func findClients(ctx context.Context, o Options) (clients []client, tried []Attempt) {
	pips := [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}, {"python", "-m", "pip"}}
	if o.Platform.GOOS == "windows" {
		pips = append(pips, []string{"py", "-m", "pip"})
	}
	var names []string
	for _, argv := range pips {
		exe, err := o.LookPath(argv[0])
		if err != nil {
			names = append(names, argv[0])
			continue
		}
		argv = append([]string{exe}, argv[1:]...)
		if _, err := ask(ctx, exe, append(argv[1:len(argv):len(argv)], "--version")...); err != nil {
			tried = append(tried, Attempt{Pip, strings.Join(argv, " "), err})
			continue
		}
		clients = append(clients, client{Pip, argv})
		break
	}
	if exe, err := o.LookPath("uv"); err == nil {
		clients = append(clients, client{UV, []string{exe}})
	} else {
		names = append(names, "uv")
	}
	if len(clients) == 0 && len(names) > 0 {
		tried = append(tried, Attempt{Pip, strings.Join(names, ", "), errors.New("not installed")})
	}
	return clients, tried
}

// download has the client fetch the pinned package into stage.
func (c client) download(ctx context.Context, o Options, p pin, stage string) (takeFunc, error) {
	reqs := filepath.Join(stage, "requirements.txt")
	line := requirement + " --hash=sha256:" + p.wheelSHA256 + "\n"
	if err := os.WriteFile(reqs, []byte(line), 0o644); err != nil {
		return nil, &CacheError{o.CacheDir, err}
	}
	to := filepath.Join(stage, "download")
	o.Progress(Event{Stage: Download, Message: "obtaining ONNX Runtime " + Version + " with " + c.String(), Total: p.wheelSize})
	if c.source == UV {
		return takeUnpacked(to), c.run(ctx, o, stage, c.uvArgs(p, to, reqs))
	}
	quit := watch(o, stage, p.wheelSize)
	err := c.run(ctx, o, stage, c.pipArgs(p, to, reqs))
	quit()
	if err != nil {
		return nil, err
	}
	wheels, _ := filepath.Glob(filepath.Join(to, "*.whl"))
	if len(wheels) != 1 {
		return nil, fmt.Errorf("%w: %s left %d wheels, want 1", ErrDownload, c, len(wheels))
	}
	// The client compared this hash too, but an old or a wrapped one may not.
	if err := checkFile(c.source, wheels[0], p.wheelSize, p.wheelSHA256); err != nil {
		return nil, err
	}
	return takeFromWheel(wheels[0]), nil
}

// pipArgs: --no-deps since only the library is used, --only-binary since only
// a wheel has it. What --platform, --implementation and --abi say lets any
// Python's pip take a wheel for another.
func (c client) pipArgs(p pin, to, reqs string) []string {
	return []string{"download", "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
		"--require-hashes", "--no-deps", "--only-binary=:all:",
		"--implementation", "cp", "--python-version", pythonTag, "--abi", "cp" + pythonTag,
		"--platform", p.tag, "-d", to, "-r", reqs}
}

// uvArgs: uv has no download; installing into a folder of its own unpacks the
// wheel there.
func (c client) uvArgs(p pin, to, reqs string) []string {
	return []string{"pip", "install", "--no-progress", "--require-hashes", "--no-deps", "--only-binary", ":all:",
		"--python-version", pythonTag[:1] + "." + pythonTag[1:], "--python-platform", p.uvPlatform,
		"--link-mode", "copy", "--target", to, "-r", reqs}
}

// hashesDiffer is in what pip says, and uv, of a file with another hash than
// the one required.
var hashesDiffer = []string{"DO NOT MATCH THE HASHES", "Hash mismatch"}

// run runs the client to its end. Its temporary files go to stage: there is
// room for the download there if there is for the library, and they can be
// watched, and removed if it is killed.
func (c client) run(ctx context.Context, o Options, stage string, args []string) error {
	cmd := exec.CommandContext(ctx, c.argv[0], append(c.argv[1:len(c.argv):len(c.argv)], args...)...)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+stage, "TMP="+stage, "TEMP="+stage)
	if o.Platform.GOOS == "darwin" {
		cmd.Env = append(cmd.Env, "MACOSX_DEPLOYMENT_TARGET=14.0") // uv's macOS is 13 otherwise, the wheel's is 14
	}
	if runtime.GOOS != "windows" {
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets it clean up
	}
	cmd.WaitDelay = 3 * time.Second // then it is killed
	var msg bytes.Buffer
	cmd.Stderr = &msg
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if e := stopped(ctx); e != nil {
		return e
	}
	if strings.Contains(msg.String(), "No space left on device") {
		return &CacheError{o.CacheDir, fmt.Errorf("%s: %w", c, syscall.ENOSPC)}
	}
	for _, s := range hashesDiffer {
		if strings.Contains(msg.String(), s) {
			return fmt.Errorf("%w: the package that was served is not the pinned one: %s", ErrCorrupt, said(err, msg.String()))
		}
	}
	return fmt.Errorf("%w: %w", ErrDownload, said(err, msg.String()))
}

// watchEvery is how often the growing download is looked at: a progress bar
// moves smoothly at ten steps a second.
const watchEvery = 100 * time.Millisecond

// watch tells the size of the wheel that grows somewhere below dir, until the
// returned function is called, after which nothing is told any more.
func watch(o Options, dir string, total int64) (quit func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		var last int64
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if n := min(largestWheel(dir), total); n > last {
				last = n
				o.Progress(Event{Stage: Download, Message: "downloading", Done: n, Total: total})
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// largestWheel is the size of the largest *.whl file below dir; pip writes it
// to a temporary folder and then moves it.
func largestWheel(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".whl" {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	return size
}
