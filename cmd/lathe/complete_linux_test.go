package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lathe/runtime/provision/provisiontest"
)

// openTerminal makes a pseudo-terminal: what a person has, and what a program has.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
		}
	}); err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// Somebody types in a terminal, takes a suggestion, and leaves the terminal as it was.
func TestCompleteInTerminal(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	models := provisiontest.Shared(t, "llama2c")
	person, program := openTerminal(t)
	before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("lathe", "complete", filepath.Join(models, "stories260K.bin"), "--tokenizer", filepath.Join(models, "tok512.bin"),
		"--baseline", filepath.Join(models, "stories260K.bin"), "-q")
	cmd.Env = environment(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	drawn := make(chan string)
	go func() {
		defer close(drawn)
		buf := make([]byte, 1<<16)
		for {
			n, err := person.Read(buf)
			if err != nil {
				return
			}
			drawn <- string(buf[:n])
		}
	}()
	all := ""
	see := func(what string) {
		t.Helper()
		late := time.After(time.Minute)
		for !strings.Contains(all, what) {
			select {
			case more := <-drawn:
				all += more
			case <-late:
				cmd.Process.Kill()
				t.Fatalf("no %q in %q", what, all)
			}
		}
		all = all[strings.Index(all, what)+len(what):]
	}
	press := func(keys string) {
		t.Helper()
		if _, err := person.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	see("> ")
	press("Once upon a time, there was a li")
	see("li\x1b[2mttle girl named Lily.\x1b[0m\r\n\x1b[2m")
	see(" ms; tokens: ")
	see(" | baseline ")
	press("\t")
	see("> Once upon a time, there was a little girl named Lily.")
	press("\x04")
	go func() {
		for range drawn { // so that it can draw to the end
		}
	}()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("the terminal is left as %+v, and was %+v", *after, *before)
	}
}
