package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/evolve"

	"pgregory.net/rapid"
)

// small is a space with some hundreds of points and one constraint.
func small(t testing.TB) *search.Problem {
	space, err := arch.Space{
		NLayer: arch.Axis{Min: 2, Max: 9}, DModel: arch.Axis{Min: 64, Max: 512, Step: 64}, DInner: arch.Axis{Min: 256, Max: 2048, Step: 256},
		NHead: arch.Axis{Choices: []int{2, 4, 8}}, Constraints: []string{"d_inner/d_model >= 2"},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return problem(space, arch.Build{})
}

func problem(space *arch.Compiled, b arch.Build) *search.Problem {
	return &search.Problem{
		Space: search.NewHomogeneous(space, b), Objectives: search.TwoObjectives(search.DecoderParams{}),
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 6, 256, 1024, 4)},
	}
}

// point is the genome of sizes that the space has.
func point(t testing.TB, p *search.Problem, l, d, f, h int) search.Genome {
	t.Helper()
	g, ok := p.Space.(*search.Homogeneous).Genome(arch.Point{NLayer: l, DModel: d, DInner: f, NHead: h})
	if !ok {
		t.Fatalf("the space has no l%d d%d f%d h%d", l, d, f, h)
	}
	return g
}

// quality and latency are the places of the two objectives.
const quality, latency = 0, 1

// lab is an evaluator for tests. Latencies are smooth with noise that depends
// on the point alone, some points are dropped, and no figure is round.
type lab struct {
	space    *search.Homogeneous
	calls    map[search.Genome]int
	backward bool              // emits in reverse order
	before   func(n int) error // called before the n-th evaluation, from 0
	shake    float64           // noise
	more     int               // values beyond the two
	name     string
}

func spaceOf(p *search.Problem) *search.Homogeneous { return p.Space.(*search.Homogeneous) }

func newLab(p *search.Problem) *lab { return &lab{space: spaceOf(p)} }

func (l *lab) Name() string { return "lab" + l.name }

func (l *lab) figures(g search.Genome) search.Evaluation {
	p := l.space.Point(g)
	h := fnv.New64a()
	fmt.Fprint(h, p)
	noise := float64(h.Sum64()%1000)/1000 - 0.5
	size := float64(p.NLayer*(4*p.DModel*p.DModel+2*p.DModel*p.DInner)) + 8000*float64(p.DModel)
	ratio := size / 7e6 * (1 + l.shake*noise)
	e := search.Evaluation{Genome: g, Values: []float64{math.NaN(), ratio}, Kind: search.Noisy, PL: ratio * 1.1, TL: ratio / 1.1}
	e.Intervals = []search.Interval{{}, {Low: ratio * 0.99, High: ratio * 1.01}}
	e.Values, e.Intervals = append(e.Values, make([]float64, l.more)...), append(e.Intervals, make([]search.Interval, l.more)...)
	if h.Sum64()%13 == 0 {
		e = search.Evaluation{Genome: g, Kind: search.Noisy, Dropped: "no kernel for this"}
	}
	return e
}

func (l *lab) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	points = slices.Clone(points)
	if l.backward {
		slices.Reverse(points)
	}
	for _, p := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.calls == nil {
			l.calls = map[search.Genome]int{}
		}
		if l.before != nil {
			if err := l.before(len(l.calls)); err != nil {
				return err
			}
		}
		l.calls[p]++
		if err := emit(l.figures(p)); err != nil {
			return err
		}
	}
	return nil
}

// tape records entries as the store would, in JSON, and can be cut anywhere.
type tape struct {
	lines [][]byte
	limit int // fails after so many; 0: never
}

var errFull = errors.New("no space left on device")

func (tp *tape) Record(e search.Entry) error {
	if tp.limit > 0 && len(tp.lines) >= tp.limit {
		return errFull
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	tp.lines = append(tp.lines, line)
	return nil
}

func (tp *tape) cut(n int) *tape { return &tape{lines: slices.Clone(tp.lines[:n])} }

func (tp *tape) journal(t testing.TB) *search.Journal {
	t.Helper()
	j, err := search.ReadJournal(bytes.NewReader(bytes.Join(tp.lines, []byte("\n"))))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func evolution(t testing.TB) search.Method {
	m, err := evolve.New(evolve.Options{Population: 6, Crossovers: 3, Random: 2, Iterations: 5})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustRun(t testing.TB, d search.Driver) *search.Result {
	t.Helper()
	res, err := d.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// same fails unless two runs came to the same end by the same way.
func same(t testing.TB, what string, got, want *search.Result) {
	t.Helper()
	gj, wj := toJSON(t, got), toJSON(t, want)
	if gj != wj {
		t.Fatalf("%s:\n%s\nwant\n%s", what, gj, wj)
	}
}

func toJSON(t testing.TB, r *search.Result) string {
	t.Helper()
	c := *r
	c.Replayed = 0
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The journal is cut after every entry, as a kill at any moment leaves it. The
// search that is resumed from what is left ends as the unbroken one did, asks
// for nothing that the journal has, and leaves a journal that says the same.
func TestResumeFromEveryEntry(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	p := small(t)
	full := new(tape)
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: &lab{space: spaceOf(p), shake: 0.02}, Recorder: full, Settings: search.Settings{Seed: 7}}
	want := mustRun(t, d)
	if want.Status.Reason != search.IterationLimit || len(want.Evaluations) < 50 {
		t.Fatalf("%v with %d evaluations makes no test", want.Status, len(want.Evaluations))
	}
	for n := 0; n <= len(full.lines); n++ {
		rest, l := full.cut(n), &lab{space: spaceOf(p), shake: 0.02, backward: n%2 == 1}
		j := rest.journal(t)
		d.Evaluator, d.Recorder, d.Settings.Resume = l, rest, j
		got := mustRun(t, d)
		same(t, fmt.Sprintf("resumed after entry %d", n), got, want)
		if len(l.calls)+len(j.Evaluations) != len(want.Evaluations) || got.Replayed != len(j.Evaluations) {
			t.Fatalf("entry %d: %d evaluated, %d of %d replayed, want %d in all", n, len(l.calls), got.Replayed, len(j.Evaluations), len(want.Evaluations))
		}
		again := rest.journal(t)
		if a, b := mustJSON(t, again.Iterations), mustJSON(t, full.journal(t).Iterations); a != b {
			t.Fatalf("entry %d: the journal has the iterations %s, want %s", n, a, b)
		}
		if len(rest.lines) != len(full.lines) {
			t.Fatalf("entry %d: the journal has %d entries, want %d", n, len(rest.lines), len(full.lines))
		}
	}
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A search stopped again and again, by whatever comes, ends as the unbroken one.
func TestResumeAfterStops(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	p := small(t)
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		d := search.Driver{Problem: p, Method: evolution(t), Evaluator: &lab{space: spaceOf(p), shake: 0.05}, Settings: search.Settings{Seed: seed}}
		want := mustRun(t, d)
		tp, evaluated, lost := new(tape), map[search.Genome]int{}, map[search.Genome]int{}
		for try := 0; ; try++ {
			if try == 100 {
				rt.Fatal("no end")
			}
			k := rapid.IntRange(0, 40).Draw(rt, "k")
			ctx, cancel := context.WithCancel(context.Background())
			l := &lab{space: spaceOf(p), shake: 0.05, backward: rapid.Bool().Draw(rt, "backward")}
			d.Settings.MaxEvaluations = 0
			how := rapid.SampledFrom([]string{"error", "cancel", "full", "budget"}).Draw(rt, "how")
			switch how {
			case "error":
				l.before = func(n int) error {
					if n >= k {
						return errors.New("power failure")
					}
					return nil
				}
			case "cancel":
				l.before = func(n int) error {
					if n >= k {
						cancel()
						return ctx.Err()
					}
					return nil
				}
			case "full":
				tp.limit = len(tp.lines) + k + 1
			case "budget":
				d.Settings.MaxEvaluations = len(tp.journal(t).Evaluations) + k + 1
			}
			d.Evaluator, d.Recorder, d.Settings.Resume = l, tp, tp.journal(t)
			got, err := d.Run(ctx)
			cancel()
			tp.limit = 0
			kept := map[search.Genome]bool{}
			for _, e := range tp.journal(t).Evaluations {
				g, err := p.Space.Parse(e.Point)
				if err != nil {
					rt.Fatal(err)
				}
				kept[g] = true
			}
			for pt, n := range l.calls {
				evaluated[pt] += n
				if !kept[pt] {
					lost[pt]++ // the one that a full disk could not take
				}
			}
			if how != "full" && len(kept) < len(l.calls) {
				rt.Fatalf("%s: %d of this run's %d evaluations in the journal", how, len(kept), len(l.calls))
			}
			if got == nil {
				rt.Fatal(err)
			}
			if !got.Status.Early() {
				same(t, "after stops", got, want)
				break
			}
		}
		for pt, n := range evaluated {
			if n != 1+lost[pt] {
				rt.Fatalf("%v was evaluated %d times and lost %d times", pt, n, lost[pt])
			}
		}
		if len(evaluated) != len(want.Evaluations) {
			rt.Fatalf("%d points evaluated, want %d", len(evaluated), len(want.Evaluations))
		}
	})
}

func TestCancelKeepsWhatIsDone(t *testing.T) {
	p := small(t)
	for k := range 20 {
		ctx, cancel := context.WithCancelCause(context.Background())
		tp := new(tape)
		l := &lab{space: spaceOf(p), before: func(n int) error {
			if n == k {
				cancel(errors.New("interrupt"))
			}
			return nil
		}}
		d := search.Driver{Problem: p, Method: evolution(t), Evaluator: l, Recorder: tp}
		res, err := d.Run(ctx)
		if err != nil || res.Status.Reason != search.Cancelled || res.Status.Err.Error() != "interrupt" {
			t.Fatalf("k=%d: %v, %v", k, res.Status, err)
		}
		// The evaluation under way when the signal came is finished and kept.
		if len(res.Evaluations) != k+1 || len(tp.journal(t).Evaluations) != k+1 {
			t.Errorf("k=%d: %d in the result, %d in the journal", k, len(res.Evaluations), len(tp.journal(t).Evaluations))
		}
		end := tp.journal(t).End
		if end == nil || end.Status.Reason != search.Cancelled || len(end.Front) != len(res.Front) {
			t.Errorf("k=%d: journal ends with %+v", k, end)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	p := small(t)
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p)}
	res, err := d.Run(ctx)
	if err != nil || res.Status.Reason != search.TimeLimit || len(res.Evaluations) != 0 {
		t.Errorf("%v, %v, %d evaluations", res.Status, err, len(res.Evaluations))
	}
}

// A budget cuts an iteration; a larger one completes it.
func TestBudget(t *testing.T) {
	p := small(t)
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p), Settings: search.Settings{Seed: 3}}
	whole := mustRun(t, d)
	for _, n := range []int{1, 5, 6, 7, len(whole.Evaluations) - 1} {
		tp := new(tape)
		d.Recorder, d.Settings = tp, search.Settings{Seed: 3, MaxEvaluations: n}
		cut := mustRun(t, d)
		if cut.Status.Reason != search.EvaluationLimit || !slices.EqualFunc(cut.Evaluations, whole.Evaluations[:n], search.Evaluation.Equal) {
			t.Fatalf("budget %d: %v after %d", n, cut.Status, len(cut.Evaluations))
		}
		d.Settings = search.Settings{Seed: 3, Resume: tp.journal(t)}
		same(t, "with the budget lifted", mustRun(t, d), whole)
	}
	d.Recorder, d.Settings = nil, search.Settings{Seed: 3, MaxIterations: 2}
	if res := mustRun(t, d); res.Status.Reason != search.IterationLimit || len(res.Iterations) != 2 {
		t.Errorf("%v after %d iterations, want the limit of 2", res.Status, len(res.Iterations))
	}
	d.Settings = search.Settings{MaxEvaluations: -1}
	if _, err := d.Run(context.Background()); err == nil {
		t.Error("a negative budget should be an error")
	}
}

// script proposes what it is told.
type script struct {
	batches [][]search.Genome
	status  search.Status
}

func (*script) Name() string                           { return "script" }
func (*script) Init(*search.Problem, *rand.Rand) error { return nil }
func (s *script) Propose(h *search.History) ([]search.Genome, search.Status) {
	if n := h.Iteration(); n < len(s.batches) {
		return s.batches[n], search.Status{}
	}
	return nil, s.status
}

func TestNothingTwice(t *testing.T) {
	p := small(t)
	a, b, c := point(t, p, 2, 64, 256, 2), point(t, p, 3, 64, 256, 2), point(t, p, 4, 64, 256, 2)
	l := newLab(p)
	m := &script{batches: [][]search.Genome{{a, b, a, b}, {b, a}, {a, c}}, status: search.Status{Reason: search.Converged}}
	var seen []search.Progress
	res := mustRun(t, search.Driver{Problem: p, Method: m, Evaluator: l, Settings: search.Settings{Progress: func(p search.Progress) { seen = append(seen, p) }}})
	if len(l.calls) != 3 || l.calls[a] != 1 || l.calls[b] != 1 || l.calls[c] != 1 {
		t.Errorf("evaluated %v", l.calls)
	}
	if len(res.Evaluations) != 3 || len(res.Iterations) != 3 || res.Iterations[1].Evaluations != 2 {
		t.Errorf("result %s", toJSON(t, res))
	}
	if n := len(seen); n != 6 { // three evaluations and three iterations
		t.Errorf("progress was told %d times: %+v", n, seen)
	}
	for i, want := range []struct {
		iteration, done, batch int
		ended                  bool
	}{{1, 1, 2, false}, {1, 2, 2, false}, {1, 2, 2, true}, {2, 0, 0, true}, {3, 1, 1, false}, {3, 1, 1, true}} {
		if p := seen[i]; p.Iteration != want.iteration || p.Done != want.done || p.Batch != want.batch || p.Ended != want.ended {
			t.Errorf("progress %d: %+v, want %+v", i, p, want)
		}
	}
}

// endless is a method that says of itself that it never ends.
type endless struct{ *script }

func (endless) NeedsBudget() bool { return true }

// wrong is an evaluator that breaks its contract.
type wrong func(points []search.Genome, emit func(search.Evaluation) error) error

func (wrong) Name() string { return "wrong" }
func (w wrong) Evaluate(_ context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	return w(points, emit)
}

func TestFailures(t *testing.T) {
	p := small(t)
	a := point(t, p, 2, 64, 256, 2)
	one := &script{batches: [][]search.Genome{{a}}, status: search.Status{Reason: search.Converged}}
	fine := search.Evaluation{Genome: a, Values: []float64{0, 1}}
	for _, c := range []struct {
		name, want string
		driver     search.Driver
	}{
		{"not asked for", "was not asked for", search.Driver{Method: one, Evaluator: wrong(func(_ []search.Genome, emit func(search.Evaluation) error) error {
			return emit(search.Evaluation{Values: []float64{0, 1}})
		})}},
		{"too few values", "emitted 1 values of {\"n_layer\":2,", search.Driver{Method: one, Evaluator: wrong(func(_ []search.Genome, emit func(search.Evaluation) error) error {
			return emit(search.Evaluation{Genome: a, Values: []float64{1}})
		})}},
		{"too few intervals", "emitted 1 intervals of {\"n_layer\":2,", search.Driver{Method: one, Evaluator: wrong(func(_ []search.Genome, emit func(search.Evaluation) error) error {
			return emit(search.Evaluation{Genome: a, Values: []float64{0, 1}, Intervals: make([]search.Interval, 1)})
		})}},
		{"twice", "twice", search.Driver{Method: one, Evaluator: wrong(func(_ []search.Genome, emit func(search.Evaluation) error) error {
			return errors.Join(emit(fine), emit(fine), emit(fine))
		})}},
		{"left out", "left out 1 of 1", search.Driver{Method: one, Evaluator: wrong(func([]search.Genome, func(search.Evaluation) error) error { return nil })}},
		{"its own", "boom", search.Driver{Method: one, Evaluator: wrong(func([]search.Genome, func(search.Evaluation) error) error { return errors.New("boom") })}},
		{"swallows emit's error", "no space left", search.Driver{Method: one, Recorder: &tape{limit: 1}, Evaluator: wrong(func(_ []search.Genome, emit func(search.Evaluation) error) error {
			_ = emit(fine)
			return nil
		})}},
		{"outside", "not in the space", search.Driver{Method: &script{batches: [][]search.Genome{{search.NewGenome(0, 0)}}}, Evaluator: newLab(p)}},
		{"no reason", "gave no reason", search.Driver{Method: &script{}, Evaluator: newLab(p)}},
		{"nothing new", "evaluated before, 10 times", search.Driver{Method: &script{batches: slices.Repeat([][]search.Genome{{a}}, 12)}, Evaluator: newLab(p)}},
		{"no begin", "no space left", search.Driver{Method: one, Evaluator: newLab(p), Recorder: search.RecorderFunc(func(search.Entry) error { return errFull })}},
		{"no budget", "give it a budget of at least 1", search.Driver{Method: endless{one}, Evaluator: newLab(p)}},
		{"no method", "needs a problem", search.Driver{Evaluator: newLab(p)}},
	} {
		c.driver.Problem = p
		res, err := c.driver.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "search: ") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if res != nil && (res.Status.Reason != search.Failed || !res.Status.Early()) {
			t.Errorf("%s: status %v", c.name, res.Status)
		}
	}
}

// A latency that is none drops the point and not the search.
func TestUnusableLatency(t *testing.T) {
	p := small(t)
	tp := new(tape)
	var batch []search.Genome
	for g := range spaceOf(p).All() {
		if batch = append(batch, g); len(batch) == 6 {
			break
		}
	}
	bad := []float64{math.NaN(), math.Inf(1), 0, -1, 1, 1}
	m := &script{batches: [][]search.Genome{batch}, status: search.Status{Reason: search.Converged}}
	res := mustRun(t, search.Driver{Problem: p, Method: m, Recorder: tp, Evaluator: wrong(func(points []search.Genome, emit func(search.Evaluation) error) error {
		for i, pt := range points {
			e := search.Evaluation{Genome: pt, Values: []float64{0, bad[i]}}
			if i == 4 {
				e.Intervals = []search.Interval{{}, {Low: 0.9, High: math.Inf(1)}}
			}
			if i == 5 {
				e.Intervals = []search.Interval{{}, {Low: 2, High: 1}}
			}
			if err := emit(e); err != nil {
				return err
			}
		}
		return nil
	})})
	if it := res.Iterations[0]; it.Dropped != 5 || len(res.Front) != 1 || res.Front[0].Genome != batch[4] {
		t.Errorf("dropped %d, front %+v", it.Dropped, res.Front)
	}
	if iv := tp.journal(t).Evaluations[4].Intervals[latency]; !math.IsInf(iv.High, 1) || iv.Low != 0.9 {
		t.Errorf("an interval without an upper end came back as %+v", iv)
	}
}

func TestResumeOfAnotherSearch(t *testing.T) {
	p := small(t)
	tp := new(tape)
	mustRun(t, search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p), Recorder: tp})
	other := problem(spaceOf(p).Compiled(), arch.Build{Threads: 2})
	narrow, err := spaceOf(p).Compiled().Space().With("n_layer > 2").Compile()
	if err != nil {
		t.Fatal(err)
	}
	limited := small(t)
	limited.Limits = []search.Limit{{Objective: "latency", Within: search.Interval{High: 1}}}
	for what, d := range map[string]search.Driver{
		"seed":      {Problem: p, Method: evolution(t), Evaluator: newLab(p), Settings: search.Settings{Seed: 1}},
		"evaluator": {Problem: p, Method: evolution(t), Evaluator: &lab{space: spaceOf(p), name: "2"}},
		"method":    {Problem: p, Method: &script{}, Evaluator: newLab(p)},
		"list of":   {Problem: limited, Method: evolution(t), Evaluator: newLab(p)},
		"build":     {Problem: other, Method: evolution(t), Evaluator: newLab(p)},
		"space":     {Problem: problem(narrow, arch.Build{}), Method: evolution(t), Evaluator: newLab(p)},
	} {
		d.Settings.Resume = tp.journal(t)
		if _, err := d.Run(context.Background()); !errors.Is(err, search.ErrOtherSearch) || !strings.Contains(err.Error(), "journal's "+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A journal whose front is not the one that its evaluations make.
	j := tp.journal(t)
	j.Iterations[1].Front = j.Iterations[1].Front[1:]
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p), Settings: search.Settings{Resume: j}}
	if _, err := d.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "iteration 2 of the journal") {
		t.Errorf("changed front: %v", err)
	}
}

// Predictions are made again instead of being stored.
func TestFrontsOnly(t *testing.T) {
	p := small(t)
	tp := new(tape)
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p), Recorder: search.FrontsOnly(tp)}
	want := mustRun(t, d)
	for n := range len(tp.lines) + 1 {
		rest := tp.cut(n)
		d.Recorder, d.Settings.Resume = search.FrontsOnly(rest), rest.journal(t)
		same(t, "fronts only", mustRun(t, d), want)
		if len(rest.lines) != len(tp.lines) {
			t.Fatalf("entry %d: %d entries, want %d", n, len(rest.lines), len(tp.lines))
		}
	}
}
