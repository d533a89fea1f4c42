package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"lathe/profiler/machine"
)

var (
	hogCandidate = flag.String("hog-candidate", "gpt2-l7-d1280-f6016-h16", "BenchmarkHog's")
	hogBaseline  = flag.String("hog-baseline", "gpt2-l12-d1024-f4096-h16", "BenchmarkHog's")
	hogMeasure   = flag.String("hog-measure", "", "further flags of BenchmarkHog's measurements")
)

func init() { programs["hog"] = hog }

// A hog is at work for random times between these, hogDuty of the time in all.
const (
	hogShortest = 20 * time.Millisecond
	hogLongest  = 400 * time.Millisecond
	hogDuty     = 0.4
)

// hog is a program that keeps one CPU busy in bursts: hog CPU SEED. It ends with
// its stdin, so that it does not outlive who started it.
func hog() {
	if err := runHog(os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runHog(args []string, stdin io.Reader) error {
	if len(args) != 2 {
		return fmt.Errorf("hog: want CPU SEED, got %q", args)
	}
	cpu, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stdin)
		close(gone)
	}()
	runtime.LockOSThread()
	if _, err := machine.PinThread([]int{cpu}); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for {
		burst := hogShortest + time.Duration(rng.Int64N(int64(hogLongest-hogShortest)))
		for began := time.Now(); time.Since(began) < burst; {
		}
		// As long on average as hogDuty wants, and no rhythm.
		pause := time.Duration(float64(burst) * (1 - hogDuty) / hogDuty * (0.5 + rng.Float64()))
		select {
		case <-gone:
			return nil
		case <-time.After(pause):
		}
	}
}

// hogRatios are what one measurement says of the candidate.
type hogRatios struct{ pl, tl float64 }

// BenchmarkHog measures one candidate on one core again and again, every second
// time beside a hog on that core, and prints both mean ratios, how far the hog moves
// them, and how much they vary. A round is one measurement of each.
//
//	.ci/hog.sh CANDIDATE BASELINE ROUNDS
func BenchmarkHog(b *testing.B) {
	cpus, err := machine.CPUs()
	if err != nil {
		b.Fatal(err)
	}
	cpu := cpus[len(cpus)-1] // where timing.cpus auto pins one thread
	dir := b.TempDir()
	var quiet, hogged []hogRatios
	for b.Loop() {
		round := len(quiet) + 1
		quiet = append(quiet, measureOnce(b, dir, round))
		stop := startHog(b, cpu, round)
		hogged = append(hogged, measureOnce(b, dir, round))
		stop()
	}
	b.Logf("%s beside %s, CPU %d", *hogCandidate, *hogBaseline, cpu)
	for _, metric := range []struct {
		name string
		of   func(hogRatios) float64
	}{{"PL", func(r hogRatios) float64 { return r.pl }}, {"TL", func(r hogRatios) float64 { return r.tl }}} {
		q, qCV, qText := describeRatios(quiet, metric.of)
		h, hCV, hText := describeRatios(hogged, metric.of)
		b.Logf("%s quiet:%s: mean %.4f, CV %.2f %%", metric.name, qText, q, qCV)
		b.Logf("%s hog:  %s: mean %.4f, CV %.2f %%", metric.name, hText, h, hCV)
		b.Logf("%s moves by %+.2f %%", metric.name, 100*(h/q-1))
		b.ReportMetric(q, metric.name+"-quiet")
		b.ReportMetric(h, metric.name+"-hog")
		b.ReportMetric(qCV, metric.name+"-quiet-CV%")
		b.ReportMetric(hCV, metric.name+"-hog-CV%")
		b.ReportMetric(100*(h/q-1), metric.name+"-shift%")
	}
}

// measureOnce runs lathe measure on one core. Both measurements of a round have
// the same seed: the same tokens in the same order.
func measureOnce(b *testing.B, dir string, round int) hogRatios {
	args := append([]string{"measure", *hogCandidate, "--baseline", *hogBaseline, "--json", "--quiet",
		"--seed", strconv.Itoa(round), "--store", filepath.Join(dir, "hog.db")}, strings.Fields(*hogMeasure)...)
	cmd := exec.CommandContext(b.Context(), "lathe", args...)
	cmd.Env, cmd.Stderr = append(environment(b), "LATHE_TIMING_CPUS=auto"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("lathe %s: %v", strings.Join(args, " "), err)
	}
	var got struct {
		Results []struct {
			Ratio struct {
				PL, TL struct{ Median float64 }
			}
		}
	}
	if err := json.Unmarshal(out, &got); err != nil || len(got.Results) != 1 {
		b.Fatalf("lathe %s: %v, %d results", strings.Join(args, " "), err, len(got.Results))
	}
	r := got.Results[0].Ratio
	return hogRatios{r.PL.Median, r.TL.Median}
}

// startHog keeps a CPU busy until stop is called.
func startHog(b *testing.B, cpu, seed int) (stop func()) {
	cmd := exec.CommandContext(b.Context(), "hog", strconv.Itoa(cpu), strconv.Itoa(seed))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatalf("hog: %v", err)
	}
	return func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatalf("hog: %v", err)
		}
	}
}

// describeRatios returns the mean, the coefficient of variation in per cent, and
// all of them in words.
func describeRatios(rs []hogRatios, of func(hogRatios) float64) (mean, cv float64, text string) {
	for _, r := range rs {
		mean += of(r) / float64(len(rs))
		text += fmt.Sprintf(" %.4f", of(r))
	}
	if len(rs) < 2 {
		return mean, math.NaN(), text
	}
	for _, r := range rs {
		cv += (of(r) - mean) * (of(r) - mean) / float64(len(rs)-1)
	}
	return mean, 100 * math.Sqrt(cv) / mean, text
}

// The hog takes a CPU for the time that it says, and ends with its stdin.
func TestHog(t *testing.T) {
	cpus, err := machine.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{{}, {"first", "1"}, {"0", "seed"}, {"1000000", "1"}} {
		if err := runHog(bad, strings.NewReader("")); err == nil {
			t.Errorf("hog %q: no error", bad)
		}
	}
	cmd := exec.Command("hog", strconv.Itoa(cpus[0]), "1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	err = cmd.Wait()
	if runtime.GOOS == "linux" && err != nil {
		t.Error(err)
	}
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); err == nil && used <= 0 {
		t.Errorf("it used %v of its CPU, want a burst of %v less what others took", used, hogShortest)
	}
}
