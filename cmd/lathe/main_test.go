package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lathe/runtime/provision/provisiontest"
)

// programs is what the test binary is besides: testscript puts it into the PATH as
// lathe, for the scripts and for the tests that kill a process.
var programs = map[string]func(){"lathe": main}

func TestMain(m *testing.M) { testscript.Main(m, programs) }

// tiny is a configuration under which a measurement takes some milliseconds.
const tiny = `baseline: gpt2-l4-d32-f96-h2-v300-p256
timing: {prompt_tokens: 4, generated_tokens: 4, pl_pairs: 10, tl_pairs: 24}
search: {samples: 20, visits: 1, iterations: 3, population: 6}
space:
  vocab: 300
  positions: 256
  n_layer: {min: 1, max: 4}
  d_model: {choices: [32, 64, 128]}
  d_inner: {min: 64, max: 256, step: 64}
  n_head: {choices: [1, 2, 4, 8, 16]}
  constraints: []
`

// library finds or obtains the runtime, in the cache that all tests share.
var library = sync.OnceValues(func() (l struct{ path, cacheDir string }, err error) {
	if l.cacheDir, err = provisiontest.CacheDir(); err != nil {
		return l, err
	}
	lib, err := provisiontest.Library()
	l.path = lib.Path
	return l, err
})

// environment is what a process of ours is run with: the shared cache, and no
// setting of whoever runs the tests.
func environment(t testing.TB) []string {
	t.Helper()
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"LATHE_CACHE_DIR=" + l.cacheDir, "LATHE_RUNTIME_LIBRARY=" + l.path}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LATHE_") {
			env = append(env, kv)
		}
	}
	return env
}

// skipSlowUnderRace leaves out what drives the program from end to end, which
// under the race detector takes a minute and is concurrent in nothing that the
// tests of single processes are not.
func skipSlowUnderRace(t *testing.T) {
	if raceDetector {
		t.Skip("runs without the race detector")
	}
}

func TestScripts(t *testing.T) { runScripts(t, "script", nil) }

// TestScriptsOfData are the scripts that need the shared data.
func TestScriptsOfData(t *testing.T) {
	runScripts(t, "script_data", map[string]string{"TINY_GPT2": provisiontest.Shared(t, "tiny-gpt2-onnx")})
}

// runScripts runs the scripts of a folder of testdata, with more in their environment.
func runScripts(t *testing.T, folder string, more map[string]string) {
	skipSlowUnderRace(t)
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", folder),
		Setup: func(e *testscript.Env) error {
			e.Setenv("LATHE_CACHE_DIR", l.cacheDir)
			e.Setenv("LATHE_RUNTIME_LIBRARY", l.path)
			e.Setenv("LIBRARY", l.path)
			e.Values[hubKey{}] = &hubState{}
			for k, v := range more {
				e.Setenv(k, v)
			}
			exe, err := exec.LookPath("lathe")
			if err != nil {
				return err
			}
			e.Setenv("LATHE", exe)
			docs, err := filepath.Abs(filepath.Join("..", "..", "docs"))
			if err != nil {
				return err
			}
			e.Setenv("DOCS", docs)
			e.Setenv("TINY", filepath.Join(e.WorkDir, ".tmp", "tiny.yaml"))
			return os.WriteFile(e.Getenv("TINY"), []byte(tiny), 0o644)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "elf":
				return runtime.GOOS == "linux", nil
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":    scriptStatus,
			"json":      scriptJSON,
			"hub":       scriptHub,
			"sql":       scriptSQL,
			"ids":       scriptIDs,
			"damage":    scriptDamage,
			"truncate":  scriptTruncate,
			"replace":   scriptReplace,
			"otherhost": scriptOtherHost,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
