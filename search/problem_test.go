package search_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/evolve"
	"lathe/search/pareto"

	"pgregory.net/rapid"
)

func TestProblemRefuses(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*search.Problem)
	}{
		{"has no space", func(p *search.Problem) { p.Space = nil }},
		{"baseline", func(p *search.Problem) { p.Baseline = arch.Candidate{} }},
		{"has no objectives", func(p *search.Problem) { p.Objectives = nil }},
		{"has no objectives", func(p *search.Problem) {
			p.Objectives = []search.Objective{{Name: "x", Direction: pareto.Ignore}}
		}},
		{`"latency" is there twice`, func(p *search.Problem) { p.Objectives = append(p.Objectives, search.Latency) }},
		{`limit on "memory", which is no objective; there are decoder_params, latency`, func(p *search.Problem) {
			p.Limits = []search.Limit{{Objective: "memory"}}
		}},
		{"2 to 1 is no interval", func(p *search.Problem) {
			p.Limits = []search.Limit{{Objective: "latency", Within: search.Interval{Low: 2, High: 1}}}
		}},
		{"build", func(p *search.Problem) {
			p.Space = search.NewHomogeneous(spaceOf(p).Compiled(), arch.Build{Threads: -1})
		}},
	} {
		p := small(t)
		c.change(p)
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), "search: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestNamedObjective(t *testing.T) {
	for _, name := range []string{"quality", "decoder_params", "latency", "pl", "tl", "throughput", "weight_bytes", "bytes_per_token", "memory_bytes", "flops_per_token", "weight_bits"} {
		o, err := search.NamedObjective(name, search.DecoderParams{})
		if err != nil || o.Name != name && name != "quality" {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	if _, err := search.NamedObjective("latncy", search.DecoderParams{}); err == nil || !strings.Contains(err.Error(), "did you mean latency? known are quality, decoder_params") {
		t.Errorf("%v", err)
	}
}

// Weights in blocks of 32 with a scale of 4 bytes have 5 bits, and fp32 has 32.
func TestWeightBits(t *testing.T) {
	spec := arch.NewSpec(arch.GPT2, 2, 128, 512, 2)
	for precision, want := range map[arch.Precision]float64{{Type: arch.Unquantized}: 32, {Type: arch.Int4, Block: 32}: 5, {Type: arch.Int4, Block: 128}: 4.25} {
		if got := search.WeightBits.Count(arch.Candidate{Spec: spec, Build: arch.Build{Precision: precision}}); got != want {
			t.Errorf("%v has %v bits a weight, want %v", precision, got, want)
		}
	}
}

// What breaks a limit is on no front; the violation says by how much.
func TestLimits(t *testing.T) {
	p := small(t)
	p.Objectives = append(p.Objectives, search.Objective{Name: "memory", Direction: pareto.Ignore, Count: search.MemoryBytes.Count})
	p.Limits = []search.Limit{
		{Objective: "latency", Within: search.Interval{Low: math.Inf(-1), High: 1}},
		{Objective: "memory", Within: search.Interval{High: 1e8}},
	}
	if v := p.Violation([]float64{1, 1.5, 1.2e8}); math.Abs(v-0.7) > 1e-12 {
		t.Errorf("violation %v, want 0.7", v)
	}
	if v := p.Violation([]float64{1, 1, 1e8}); v != 0 {
		t.Errorf("violation %v at the limits themselves", v)
	}
	l := &lab{space: spaceOf(p), more: 1}
	res := mustRun(t, search.Driver{Problem: p, Method: evolution(t), Evaluator: l})
	beyond := 0
	for _, e := range res.Evaluations {
		if e.Dropped == "" && p.Violation(e.Values) > 0 {
			beyond++
		}
	}
	if beyond == 0 || len(res.Front) == 0 {
		t.Fatalf("%d of %d evaluations beyond the limits, %d on the front", beyond, len(res.Evaluations), len(res.Front))
	}
	for _, e := range res.Front {
		if p.Violation(e.Values) > 0 {
			t.Errorf("on the front: %v", e.Values)
		}
	}
	d := p.Directions()
	for _, e := range res.Evaluations {
		if e.Dropped != "" || p.Violation(e.Values) > 0 {
			continue
		}
		if !slices.ContainsFunc(res.Front, func(f search.Evaluation) bool {
			return d.Dominates(f.Values, e.Values) || d.Equal(f.Values, e.Values)
		}) {
			t.Errorf("%v is not covered by the front", e.Values)
		}
	}
}

func TestConstantObjectives(t *testing.T) {
	p := small(t)
	if err := p.CheckObjectives(); err != nil {
		t.Errorf("decoder_params vary: %v", err)
	}
	p.Objectives = append(p.Objectives, search.WeightBits)
	if err := p.CheckObjectives(); err == nil || !strings.Contains(err.Error(), "objective weight_bits is 32 at each of") {
		t.Errorf("one build: %v", err)
	}
	p.Space = joint(t, spaceOf(p))
	if err := p.CheckObjectives(); err != nil {
		t.Errorf("three precisions: %v", err)
	}
	one, err := arch.Space{
		NLayer: arch.Axis{Choices: []int{2}}, DModel: arch.Axis{Choices: []int{64}}, DInner: arch.Axis{Choices: []int{64}}, NHead: arch.Axis{Choices: []int{2}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if err := problem(one, arch.Build{}).CheckObjectives(); err != nil {
		t.Errorf("a space of one point: %v", err)
	}

	p = small(t)
	batch := search.Fresh(p.Space, rand.New(rand.NewPCG(1, 1)), 5, func(search.Genome) bool { return false })
	m := &script{batches: [][]search.Genome{batch}, status: search.Status{Reason: search.Converged}}
	res := mustRun(t, search.Driver{Problem: p, Method: m, Evaluator: wrong(func(points []search.Genome, emit func(search.Evaluation) error) error {
		for _, g := range points {
			if err := emit(search.Evaluation{Genome: g, Values: []float64{0, 0.5}}); err != nil {
				return err
			}
		}
		return nil
	})})
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0].Error(), "latency was 0.5 in every evaluation") {
		t.Errorf("warnings %v", res.Warnings)
	}
}

// A build that turns out slower than one of no less quality goes, with the reason.
func TestRejections(t *testing.T) {
	p := small(t)
	int4 := func(block int) arch.Build {
		return arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: block}}
	}
	s, err := search.NewJoint(spaceOf(p), search.BuildList([]arch.Build{{}, int4(128), int4(32)}))
	if err != nil {
		t.Fatal(err)
	}
	p.Space = s
	p.Objectives = append(p.Objectives, search.WeightBits)
	p.Limits = []search.Limit{{Objective: "latency", Within: search.Interval{High: 1.2}}}
	eval := func(build int, ratio float64, kind search.Kind) search.Evaluation {
		g := search.NewGenome(4, 3, 3, 1, build)
		e := search.Evaluation{Genome: g, Values: make([]float64, 3), Kind: kind}
		p.Count(g, e.Values)
		e.Values[latency] = ratio
		e.Intervals = []search.Interval{{}, {Low: ratio - 0.02, High: ratio + 0.02}, {}}
		return e
	}
	fp32, coarse, fine := eval(0, 1, search.Noisy), eval(1, 0.7, search.Noisy), eval(2, 0.6, search.Noisy)
	out := search.Rejections(p, []search.Evaluation{fp32, coarse, fine})
	if len(out) != 1 || out[0].Genome != coarse.Genome || out[0].By.Genome != fine.Genome {
		t.Fatalf("rejected %+v, want int4b128, slower and coarser than int4b32", out)
	}
	if want := "no better than gpt2-l6-d256-f1024-h4+int4b32 in anything: decoder_params 4.739e+06 as well, latency 0.7 against 0.6, weight_bits 4.25 against 5"; out[0].Because != want {
		t.Errorf("because %q, want %q", out[0].Because, want)
	}
	coarse = eval(1, 0.63, search.Noisy)
	if out := search.Rejections(p, []search.Evaluation{coarse, fine}); len(out) != 1 || !strings.HasSuffix(out[0].Because, "another measurement might say otherwise") {
		t.Errorf("intervals that overlap: %+v", out)
	}
	if out := search.Rejections(p, []search.Evaluation{eval(1, 0.7, search.Predicted), fine}); len(out) != 0 {
		t.Errorf("a prediction was rejected: %+v", out)
	}
	if out := search.Rejections(p, []search.Evaluation{eval(0, 1.5, search.Noisy)}); len(out) != 1 || out[0].By != nil || !strings.Contains(out[0].Because, "latency 1.5 is not within 0 to 1.2") {
		t.Errorf("beyond a limit: %+v", out)
	}
}

// A journal gives its front again, however its search ended, and without evaluating.
func TestReplay(t *testing.T) {
	p := small(t)
	rapid.Check(t, func(rt *rapid.T) {
		tp := new(tape)
		l := &lab{space: spaceOf(p), shake: 0.05, backward: rapid.Bool().Draw(rt, "backward")}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d := search.Driver{Problem: p, Method: evolution(t), Evaluator: l, Recorder: tp, Settings: search.Settings{Seed: rapid.Uint64().Draw(rt, "seed")}}
		how := rapid.SampledFrom([]string{"its end", "budget", "cancelled", "killed"}).Draw(rt, "how")
		k := rapid.IntRange(1, 60).Draw(rt, "k")
		switch how {
		case "budget":
			d.Settings.MaxEvaluations = k
		case "cancelled":
			l.before = func(n int) error {
				if n >= k {
					cancel()
				}
				return nil
			}
		}
		want, err := d.Run(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		j := tp.journal(t)
		if how == "killed" {
			j = tp.cut(min(len(tp.lines), k+1)).journal(t)
			if len(j.Evaluations) == 0 {
				return
			}
		}
		calls := len(l.calls)
		got, err := d.Replay(t.Context(), j)
		if err != nil {
			rt.Fatalf("%s: %v", how, err)
		}
		if len(l.calls) != calls {
			rt.Fatal("a replay evaluates")
		}
		if (j.End == nil) != (got.Status.Reason == "") {
			rt.Fatalf("%s: status %v, and the journal's end is %v", how, got.Status, j.End)
		}
		// What a smaller budget had found comes out of the larger one's journal.
		n := rapid.IntRange(1, len(j.Evaluations)).Draw(rt, "first")
		first, err := d.Replay(t.Context(), j.First(n))
		if err != nil {
			rt.Fatalf("%s, the first %d: %v", how, n, err)
		}
		if !l.backward { // else the journal's order is not the method's
			want := search.Front(p, want.Evaluations[:n])
			if !slices.EqualFunc(first.Front, want, search.Evaluation.Equal) {
				rt.Fatalf("%s, the first %d: a front of %d, want %d", how, n, len(first.Front), len(want))
			}
		}
		if how != "killed" {
			same(t, how, &search.Result{Front: got.Front, Evaluations: got.Evaluations}, &search.Result{Front: want.Front, Evaluations: want.Evaluations})
			if got.Status.Reason != want.Status.Reason {
				rt.Fatalf("%s: ended with %v, want %v", how, got.Status, want.Status)
			}
		}
	})
	tp := new(tape)
	d := search.Driver{Problem: p, Method: evolution(t), Evaluator: newLab(p), Recorder: tp}
	mustRun(t, d)
	j := tp.journal(t)
	j.End.Front = j.End.Front[1:]
	if _, err := d.Replay(t.Context(), j); err == nil || !strings.Contains(err.Error(), "another one than the journal's") {
		t.Errorf("a changed end: %v", err)
	}
	m, err := evolve.New(evolve.Options{Population: 6, Crossovers: 4, Random: 1, Iterations: 5})
	if err != nil {
		t.Fatal(err)
	}
	other := d
	other.Method = m
	if _, err := other.Replay(t.Context(), tp.journal(t)); !errors.Is(err, search.ErrOtherSearch) {
		t.Errorf("another method: %v", err)
	}
	if _, err := d.Replay(t.Context(), new(search.Journal)); err == nil || !strings.Contains(err.Error(), "has no evaluations") {
		t.Errorf("nothing to replay: %v", err)
	}
}
