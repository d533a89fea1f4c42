package proxy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/arch"
	"lathe/search/proxy"
)

// law is a world in which size helps by a power law and heads and width beside it:
// log perplexity, without the luck of a training run.
func law(s arch.Spec) float64 {
	n := math.Log(float64(s.DecoderParams()))
	heads, width := math.Log(float64(s.Layers[0].NHead)), math.Log(float64(s.DModel)/512)
	return 6.5 - 0.18*n - 0.03*heads + 0.05*width*width
}

// world is n trained architectures of it.
func world(n int, noise float64, rng *rand.Rand) *proxy.Table {
	t := &proxy.Table{Name: "world", Quality: "ppl"}
	for range n {
		s := arch.NewSpec(arch.GPT2, 2+rng.IntN(12), 64*(1+rng.IntN(16)), 64*(4+rng.IntN(60)), 1<<rng.IntN(6))
		t.Rows = append(t.Rows, proxy.Row{Spec: s, Quality: math.Exp(law(s) + noise*rng.NormFloat64())})
	}
	return t
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func validate(t *testing.T, table *proxy.Table, p proxy.Plan) []proxy.Evidence {
	t.Helper()
	all, err := proxy.Validate(table, proxy.Names, p, seeded(9))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFittedLearns what decoder parameters do not see.
func TestFittedLearns(t *testing.T) {
	for _, p := range []proxy.Plan{{}, {Train: 40, Splits: 5}} {
		all := validate(t, world(120, 0.005, seeded(1)), p)
		decoder, fitted := all[0], all[2]
		t.Logf("%s; %s; gain %s, coverage %.2f", decoder, fitted, *fitted.Gain, *fitted.Coverage)
		if fitted.Spearman.Value < 0.99 || fitted.Gain.CI.Low <= 0 || fitted.Spearman.Value-decoder.Spearman.Value != fitted.Gain.Value {
			t.Errorf("%+v: fitted %s, decoder parameters %s, gain %s", p, fitted.Spearman, decoder.Spearman, *fitted.Gain)
		}
		if *fitted.Coverage < 0.88 || decoder.Coverage != nil || decoder.Gain != nil {
			t.Errorf("coverage %v", *fitted.Coverage)
		}
	}
}

// TestFittedIsCautious: where size is all, it ranks nearly as size does.
func TestFittedIsCautious(t *testing.T) {
	table := world(120, 0, seeded(2))
	rng := seeded(3)
	for i := range table.Rows {
		table.Rows[i].Quality = math.Exp(6 - 0.18*math.Log(float64(table.Rows[i].Spec.DecoderParams())) + 0.05*rng.NormFloat64())
	}
	if e := validate(t, table, proxy.Plan{Train: 30, Splits: 10})[2]; e.Gain.Value < -0.01 {
		t.Errorf("it loses %s", *e.Gain)
	}
}

// TestPredict: means near the truth, an uncertainty that grows away from the table,
// and noise as it was.
func TestPredict(t *testing.T) {
	f, err := proxy.Fit(world(100, 0.02, seeded(4)))
	if err != nil {
		t.Fatal(err)
	}
	near, far := arch.NewSpec(arch.GPT2, 7, 512, 2048, 8), arch.NewSpec(arch.GPT2, 80, 8192, 65536, 64)
	mean, sd := f.Predict(near)
	if math.Abs(mean+law(near)) > 0.03 || mean != f.Score(near) {
		t.Errorf("%g +- %g, the truth is %g", mean, sd, -law(near))
	}
	if _, beyond := f.Predict(far); !(beyond > 2*sd) || f.Noise() < 0.01 || f.Noise() > 0.04 {
		t.Errorf("sd %g within, %g beyond the table; noise %g", sd, beyond, f.Noise())
	}
}

// TestQualitiesOfEitherKind: an accuracy that rises is learned as a perplexity that
// falls, and one that is not positive is learned too.
func TestQualitiesOfEitherKind(t *testing.T) {
	table := world(60, 0.01, seeded(5))
	up, shifted := *table, *table
	up.HigherIsBetter, shifted.HigherIsBetter = true, true
	up.Rows, shifted.Rows = nil, nil
	for _, r := range table.Rows {
		u, s := r, r
		u.Quality, s.Quality = 1/r.Quality, -math.Log(r.Quality)
		up.Rows, shifted.Rows = append(up.Rows, u), append(shifted.Rows, s)
	}
	f, err := proxy.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []*proxy.Table{&up, &shifted} {
		g, err := proxy.Fit(other)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range table.Rows {
			if a, b := f.Score(r.Spec), g.Score(r.Spec); math.Abs(a-b) > 1e-4 {
				t.Fatalf("%s: %g and %g", r.Spec.Name(), a, b)
			}
		}
	}
}

// TestCountsRankAsTheyCount: a quality that is a count is ranked perfectly by it.
func TestCountsRankAsTheyCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := world(rapid.IntRange(10, 40).Draw(t, "rows"), 0, seeded(rapid.Uint64().Draw(t, "seed")))
		for i := range table.Rows {
			table.Rows[i].Quality = 1e12 / float64(table.Rows[i].Spec.TotalParams())
		}
		all, err := proxy.Validate(table, []string{"total_params", "decoder_params"}, proxy.Plan{}, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		e := all[0]
		if math.Abs(e.Spearman.Value-1) > 1e-12 || math.Abs(e.KendallTau.Value-1) > 1e-12 || e.Top10.Value != 1 || e.LearnedFrom != 0 {
			t.Fatalf("%+v", e)
		}
		if len(e.Held) != len(table.Rows) || e.Held[2].Score != float64(table.Rows[2].Spec.TotalParams()) {
			t.Fatalf("held out: %+v", e.Held)
		}
		if all[1].Spearman.Value > 1 || !all[1].Spearman.CI.Contains(all[1].Spearman.Value) && all[1].Spearman.Value < all[1].Spearman.CI.Low-0.1 {
			t.Fatalf("%+v", all[1].Spearman)
		}
	})
}

func TestSameSeedSameEvidence(t *testing.T) {
	table := world(40, 0.02, seeded(6))
	text := func() string {
		data, err := json.Marshal(validate(t, table, proxy.Plan{Train: 20, Splits: 3}))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if a, b := text(), text(); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// TestDoubts are said: a proxy that says nothing, one that ranks backwards, few rows.
func TestDoubts(t *testing.T) {
	table := world(20, 0.02, seeded(7))
	for i := range table.Rows { // one size, of which heads are no part
		table.Rows[i].Spec = arch.NewSpec(arch.GPT2, 4, 256, 1024, 1<<(i%6))
	}
	all := validate(t, table, proxy.Plan{})
	if w := strings.Join(all[0].Warnings, "\n"); !strings.Contains(w, "decoder_params is the same for all that was ranked") || !strings.Contains(w, "only 20 architectures") {
		t.Errorf("warnings: %s", w)
	}
	data, err := json.Marshal(all[0])
	if err != nil || !strings.Contains(string(data), `"spearman":{"value":null,"ci":null}`) {
		t.Errorf("%s (%v)", data, err)
	}
	table = world(40, 0.01, seeded(8))
	table.HigherIsBetter = true
	if w := strings.Join(validate(t, table, proxy.Plan{})[0].Warnings, "\n"); !strings.Contains(w, "ranks the wrong way round: is higher really better for ppl?") {
		t.Errorf("warnings: %s", w)
	}
}

func TestNew(t *testing.T) {
	table := world(30, 0.02, seeded(10))
	spec := table.Rows[0].Spec
	for _, name := range proxy.Names {
		p, err := proxy.New(name, table, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		e := p.Evidence()
		if p.Name() != name || e.Proxy != name || e.Trained != 30 || !strings.Contains(e.String(), "ranks 30 trained architectures of world by ppl") {
			t.Errorf("%s: %s", p.Name(), e)
		}
		if _, knows := p.(proxy.Predictor); knows != (name == "fitted") {
			t.Errorf("%s predicts: %v", name, knows)
		}
	}
	p, err := proxy.New("decoder_params", nil, nil)
	if err != nil || p.Score(spec) != float64(spec.DecoderParams()) || !strings.Contains(p.Evidence().String(), "no trained architectures") {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := proxy.New("fitted", nil, nil); !errors.Is(err, proxy.ErrNothingToLearn) {
		t.Errorf("fitted of nothing: %v", err)
	}
	if _, err := proxy.New("fited", nil, nil); err == nil || !strings.Contains(err.Error(), "did you mean fitted?") {
		t.Errorf("an unknown one: %v", err)
	}
}

// BenchmarkScore is one point of a space, by what 40 and 120 trained ones say.
func BenchmarkScore(b *testing.B) {
	for _, n := range []int{40, 120} {
		f, err := proxy.Fit(world(n, 0.02, seeded(1)))
		if err != nil {
			b.Fatal(err)
		}
		s := arch.NewSpec(arch.GPT2, 7, 512, 2048, 8)
		b.Run(fmt.Sprintf("score/%d", n), func(b *testing.B) {
			for b.Loop() {
				f.Score(s)
			}
		})
		b.Run(fmt.Sprintf("predict/%d", n), func(b *testing.B) {
			for b.Loop() {
				f.Predict(s)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	alike := world(10, 0.02, seeded(11))
	for i := range alike.Rows {
		alike.Rows[i].Spec = alike.Rows[0].Spec
	}
	nan := world(10, 0.02, seeded(12))
	nan.Rows[4].Quality = math.NaN()
	bad := world(10, 0.02, seeded(13))
	bad.Rows[4].Spec.DModel = 0
	good := world(10, 0.02, seeded(14))
	for name, c := range map[string]struct {
		table *proxy.Table
		plan  proxy.Plan
		want  string
	}{
		"alike":     {alike, proxy.Plan{}, "architectures are alike in log decoder_params"},
		"nan":       {nan, proxy.Plan{}, "world, row 5: ppl is NaN"},
		"bad":       {bad, proxy.Plan{}, "world, row 5: arch: d_model 0"},
		"few":       {world(5, 0, seeded(1)), proxy.Plan{}, "world has 5 trained architectures: want 8 or more"},
		"no splits": {good, proxy.Plan{Train: 6}, "0 splits: want 1 or more"},
		"train":     {world(30, 0, seeded(1)), proxy.Plan{Train: 25, Splits: 2}, "25 rows to learn from: want 6 to 22, so that 8 or more of 30"},
	} {
		if _, err := proxy.Validate(c.table, proxy.Names, c.plan, seeded(1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
