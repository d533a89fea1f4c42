package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/machine"
	"lathe/profiler/record"
)

var allSessions = flag.Bool("sessions", false, "TestSessionNeed opens the large sessions too")

// sessionCase is a session whose memory is measured, in a process of its own.
type sessionCase struct {
	Candidate string
	Prompt    int
	large     bool // hundreds of megabytes, and seconds
}

func sessionCases() (out []sessionCase) {
	builds := []string{"", "+portable", "+int4b32", "+portable+int4b32"}
	for _, b := range builds {
		out = append(out,
			sessionCase{"gpt2-l4-d256-f1024-h4" + b, 64, false},
			sessionCase{"gpt2-l2-d768-f3072-h16-v1000" + b, 512, false},
			sessionCase{"llama-l2-d768-f2048-h16-kv4-v1000" + b, 512, false},
			sessionCase{"llama-l2-d768-f4096-h4-v1000" + b, 1024, true},
			sessionCase{"llama-l2-d768-f2048-h32-kv8-v1000" + b, 1500, true},
			sessionCase{"gpt2-l6-d768-f3072-h16" + b, 64, true},
			sessionCase{"gpt2-l12-d1024-f4096-h16" + b, 64, true},
			sessionCase{"gpt2-l18-d1280-f3072-h16" + b, 64, true},
			sessionCase{"gpt2-l6-d768-f3072-h16" + b, 1500, true},
			sessionCase{"gpt2-l2-d768-f768-h4-v1000" + b, 1024, true},
			sessionCase{"gpt2-l2-d768-f8192-h4-v1000" + b, 1024, true},
			sessionCase{"gpt2-l2-d768-f3072-h32-v1000" + b, 2000, true})
	}
	for _, b := range builds[:2] { // see recurrentBytes
		out = append(out, sessionCase{"lstm-l2-d768-v1000" + b, 64, false}, sessionCase{"lstm-l2-d768-v1000" + b, 1024, false}, sessionCase{"gru-l2-d256-hs1024-v1000" + b, 1024, false},
			sessionCase{"gru-l6-d768-v1000" + b, 512, true})
	}
	for _, b := range []string{"+int8b32", "+int8dyn", "+portable+int8dyn", "+int4b32asym", "+int4b32+embed-fp32",
		"+fp16", "+portable+fp16", "+int4b32+fp16", "+portable+int8b32+fp16", "+int4b32+fp16+head-fp16", "+portable+fp16+head-int8b32"} {
		out = append(out,
			sessionCase{"gpt2-l4-d256-f1024-h4" + b, 64, false},
			sessionCase{"llama-l2-d768-f2048-h16-kv4-v1000" + b, 512, false},
			sessionCase{"gpt2-l6-d768-f3072-h16" + b, 64, true})
	}
	for _, name := range []string{"+int4b16", "+int4b128", "+int4b32+head-fp32", "+portable+int4b32+head-fp32", "+t2", "-untied", "-untied+portable"} {
		out = append(out, sessionCase{"gpt2-l6-d768-f3072-h16" + name, 64, true})
	}
	return out
}

// TestSessionNeed compares what needOf says with what sessions take.
func TestSessionNeed(t *testing.T) {
	skipSlowUnderRace(t)
	exe, err := exec.LookPath("sessionmemory")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range sessionCases() {
		if c.large && !*allSessions {
			continue
		}
		arg, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, string(arg))
		cmd.Env = append(environment(t), tunablesVariable+"="+strings.Join(mallocTunables, ":"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.Candidate, err, out)
		}
		took, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", c.Candidate, err)
		}
		cand, err := arch.ParseCandidate(c.Candidate)
		if err != nil {
			t.Fatal(err)
		}
		need := needOf(cand, c.plan()).total()
		ratio := float64(need) / float64(took)
		t.Logf("%-46s prompt %4d: took %6.1f MB, estimated %6.1f MB, %.2f", c.Candidate, c.Prompt, float64(took)/1e6, float64(need)/1e6, ratio)
		if ratio < 0.95 || ratio > 1.4 {
			t.Errorf("%s, prompt of %d: %d bytes estimated, %d taken: want 0.95 to 1.4 of them", c.Candidate, c.Prompt, need, took)
		}
	}
}

func (c sessionCase) plan() profiler.Plan {
	return profiler.Plan{PromptTokens: c.Prompt, GeneratedTokens: 16, PLPairs: 1, TLPairs: 16}
}

func init() { programs["sessionmemory"] = sessionMemory }

// sessionMemory is a program that opens one session, runs it as a timing does, and
// prints the most anonymous memory that it took.
func sessionMemory() {
	if err := runSessionMemory(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSessionMemory(w io.Writer) error {
	var c sessionCase
	if err := json.Unmarshal([]byte(os.Args[1]), &c); err != nil {
		return err
	}
	ctx := context.Background()
	cfg, err := loadConfig("", nil)
	if err != nil {
		return err
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, quiet: true, cfg: cfg}
	cand, err := arch.ParseCandidate(c.Candidate)
	if err != nil {
		return err
	}
	if _, err := a.runtime(ctx); err != nil {
		return err
	}
	if err := a.ensurePool(ctx, cand); err != nil {
		return err
	}
	runtime.GC()
	before := anonymousMemory()
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			most = max(most, anonymousMemory())
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	if err := a.runSession(ctx, cand, c.plan()); err != nil {
		return err
	}
	close(stop)
	_, err = fmt.Fprintln(w, <-peak-before)
	return err
}

// runSession is what a timing's warm-up does.
func (a *app) runSession(ctx context.Context, c arch.Candidate, plan profiler.Plan) error {
	s, err := a.open(ctx, own(c), plan, nil)
	if err != nil {
		return err
	}
	seq := profiler.Sequence(s.model)
	for range 3 {
		seq.Reset()
		if err := errors.Join(seq.PreparePrefill(make([]int64, plan.PromptTokens)), seq.Run()); err != nil {
			return err
		}
		for range plan.GeneratedTokens {
			if err := errors.Join(seq.PrepareStep(1), seq.Run()); err != nil {
				return err
			}
		}
	}
	return s.close()
}

// anonymousMemory is what this process has that is no file's.
func anonymousMemory() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("RssAnon:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10
}

// A session that cannot fit is refused before anything is opened, in words that
// say what would help.
func TestMemoryRefused(t *testing.T) {
	available, ok := machine.AvailableMemory()
	if !ok {
		t.Skip("the system does not say how much memory it has")
	}
	plan := profiler.Plan{PromptTokens: 1000, GeneratedTokens: 4, PLPairs: 1, TLPairs: 4}
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 1, 1024, 4096, 16), Build: arch.Build{Dialect: arch.Portable}}
	for needOf(c, plan).total() < 2*available {
		c.Spec.Layers = append(c.Spec.Layers, c.Spec.Layers...)
	}
	a := &app{stderr: io.Discard}
	err := a.checkMemory(record.Of(c), plan)
	var refused *memoryError
	if !errors.As(err, &refused) || refused.Need < 2*available || refused.Available <= 0 {
		t.Fatalf("got %v, want a memoryError of %d bytes or more", err, 2*available)
	}
	for _, want := range []string{"it needs ", "MB are available", "a smaller candidate", "+int4b32"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if a.unrun != 0 {
		t.Errorf("a refused session is counted: %d bytes", a.unrun)
	}

	// What other open sessions will yet take counts.
	small := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 2, 64, 128, 2)}
	if err := a.checkMemory(record.Of(small), plan); err != nil {
		t.Fatal(err)
	}
	if a.unrun != needOf(small, plan).activations {
		t.Errorf("%d bytes are to be taken yet, want %d", a.unrun, needOf(small, plan).activations)
	}
	a.unrun = available
	if err := a.checkMemory(record.Of(small), plan); !errors.As(err, &refused) {
		t.Errorf("with all memory promised: got %v, want a memoryError", err)
	}

	// Nothing is known of other providers.
	c.Build.Provider.Name = arch.CUDA
	if err := a.checkMemory(record.Of(c), plan); err != nil {
		t.Errorf("another provider: %v", err)
	}
}

// Too many threads are timed, and noted once.
func TestTooManyThreads(t *testing.T) {
	cpus, err := machine.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	a := &app{stderr: &out}
	a.checkThreads(1)
	if out.Len() > 0 {
		t.Errorf("one thread is too many: %q", out.String())
	}
	b := arch.Build{Threads: len(cpus) + 1}
	a.checkThreads(b.Threads)
	a.checkThreads(b.Threads)
	note := fmt.Sprintf("builds with %d threads (+t%d)", b.Threads, b.Threads)
	if strings.Count(out.String(), note) != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("want one note of %s, got %q", note, out.String())
	}

	skipSlowUnderRace(t)
	crowded := func(name string) string { return fmt.Sprintf("%s+t%d", name, b.Threads) }
	p := start(t, project(t), "measure", "--baseline", crowded("gpt2-l4-d32-f96-h2-v300-p256"),
		crowded("gpt2-l2-d64-f64-h2-v300-p256"), crowded("gpt2-l1-d64-f64-h2-v300-p256"))
	if p.code() != exitOK || strings.Count(p.stderr.String(), note) != 1 {
		t.Errorf("measure: exit status %d, want 0 and one note of %s\n%s", p.code(), note, p.stderr.String())
	}
}
