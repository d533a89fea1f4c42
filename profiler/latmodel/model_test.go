package latmodel_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

func contains(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}

func medianRatio(pairs []record.StepPair) float64 {
	var r []float64
	for _, p := range pairs {
		r = append(r, float64(p.NS)/float64(p.PartnerNS))
	}
	slices.Sort(r)
	return (r[(len(r)-1)/2] + r[len(r)/2]) / 2
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, p := range append(parts, "latmodel: ") {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}

func fitted(t testing.TB) *latmodel.Model {
	return mustFit(t, plain.draw(t, 20, arch.Build{}, 0.02, rand.New(rand.NewPCG(7, 7))), latmodel.Options{})
}

func TestFewRecordsAreAnError(t *testing.T) {
	for _, target := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		// d_model is no multiple of 128, so that there are split rows too.
		c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 2, 1080, 1080, 5), Build: arch.Build{Precision: arch.Precision{Type: arch.Int4}}}
		n := 0
		for _, x := range latmodel.Count(target, c, map[latmodel.Target]int{latmodel.PL: 64, latmodel.TL: 1}[target], 0) {
			if x != 0 {
				n++
			}
		}
		if n < 8 || n+2 > latmodel.MinCandidates {
			t.Errorf("%s has %d features of transformers: MinCandidates %d leaves no error to see", target, n, latmodel.MinCandidates)
		}
	}
	rng := rand.New(rand.NewPCG(2, 2))
	records := plain.draw(t, 5, arch.Build{}, 0.02, rng)
	records = append(records, records...) // ten records, five candidates
	_, err := latmodel.Fit(records, latmodel.Options{})
	wantError(t, err, "5 candidates measured", "at least 10", "measure 5 more")
	_, err = latmodel.Fit(nil, latmodel.Options{})
	wantError(t, err, "none of 0 records")
}

func TestRecordsThatDoNotBelongAreCounted(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	good := plain.draw(t, 12, arch.Build{}, 0.02, rng)
	want := mustFit(t, good, latmodel.Options{})
	records := slices.Clone(good)
	change := func(f func(*record.Record)) {
		r := plain.draw(t, 1, arch.Build{}, 0.02, rng)[0]
		f(&r)
		records = append(records, r)
	}
	change(func(r *record.Record) { r.Binding = record.Copied })
	change(func(r *record.Record) { r.Host.LibraryVersion = "1.33.0" })
	change(func(r *record.Record) { r.Baseline.Candidate.Spec = arch.NewSpec(arch.GPT2, 6, 512, 2048, 8) })
	change(func(r *record.Record) { r.Candidate.Candidate.Build = int4 })
	change(func(r *record.Record) { r.Candidate = r.Baseline })
	change(func(r *record.Record) { r.Candidate = theFile(nil) })
	change(func(r *record.Record) { r.TL = nil })
	change(func(r *record.Record) { r.PL[0].NS = -1 })
	for range 2 {
		change(func(r *record.Record) {
			for i := range r.PL {
				r.PL[i].Len = 128
			}
		})
	}
	change(func(r *record.Record) {
		for i := range r.TL {
			r.TL[i].Len += 500
		}
	})
	b := record.Of(baseline())
	got := mustFit(t, records, latmodel.Options{Baseline: &b, Build: &arch.Build{}, Host: testHost.Hash(), Binding: record.Shared})
	reasons := map[string]int{}
	for _, l := range got.LeftOut {
		reasons[l.Reason] = l.Count
	}
	for _, w := range []struct {
		part  string
		count int
	}{
		{"another binding: copied", 1}, {"another host: Test CPU with ONNX Runtime 1.33.0", 1},
		{"an ONNX file as it is, and no candidate: theirs.onnx@abababab", 1}, {"another baseline: gpt2-l6-d512-f2048-h8", 1}, {"another build: +int4b32", 1}, {"the baseline beside itself", 1},
		{"no step pairs: it holds none", 1}, {"not valid: record: pl[0].ns is -1", 1},
		{"no prefill of 64 tokens", 2}, {"no step with 53 to 87 tokens in the cache", 1},
	} {
		found := 0
		for reason, n := range reasons {
			if strings.Contains(reason, w.part) {
				found += n
			}
		}
		if found != w.count {
			t.Errorf("%d records left out for %q, want %d: %v", found, w.part, w.count, reasons)
		}
	}
	if got.Records != 12 || got.Candidates != 12 {
		t.Errorf("%d records of %d candidates are fitted", got.Records, got.Candidates)
	}
	if !reflect.DeepEqual(got.Terms(), want.Terms()) {
		t.Error("records that were left out changed the model")
	}

	_, err := latmodel.Fit(append(slices.Clone(good), records[12]), latmodel.Options{})
	wantError(t, err, "2 bindings", "copied (1), shared (12)")
	_, err = latmodel.Fit(append(slices.Clone(good), records[13]), latmodel.Options{})
	wantError(t, err, "2 hosts", "1.33.0")
	_, err = latmodel.Fit(append(slices.Clone(good), records[14]), latmodel.Options{})
	wantError(t, err, "2 baselines", "gpt2-l12-d1024-f4096-h16 (12), gpt2-l6-d512-f2048-h8 (1)")
	_, err = latmodel.Fit(append(slices.Clone(good), records[15]), latmodel.Options{})
	wantError(t, err, "2 builds", "+int4b32 (1), default (fused, fp32) (12)")
	_, err = latmodel.Fit(good, latmodel.Options{Host: "abc"})
	wantError(t, err, "none of 12 records belongs", "12: another host")
	_, err = latmodel.Fit(good, latmodel.Options{Prompt: 32})
	wantError(t, err, "prefill of 32 tokens")
}

func TestOptionsAreChecked(t *testing.T) {
	records := plain.draw(t, 10, arch.Build{}, 0.02, rand.New(rand.NewPCG(2, 5)))
	for _, o := range []latmodel.Options{
		{Level: 1}, {Level: -0.1}, {Level: 0.4}, {Level: math.NaN()}, {Prompt: -1}, {Cache: -1}, {Folds: 1}, {Folds: -2}, {Folds: 5}, {Binding: "mixed"},
	} {
		if _, err := latmodel.Fit(records, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// TestRecordsOfOneCandidateArePooled: halves of a session say what it says.
func TestRecordsOfOneCandidateArePooled(t *testing.T) {
	records := plain.draw(t, 12, arch.Build{}, 0.02, rand.New(rand.NewPCG(2, 6)))
	o := latmodel.Options{Prompt: 64, Cache: 70}
	want := mustFit(t, records, o)
	var halves []record.Record
	for _, r := range records {
		a, b := r, r
		a.PL, b.PL = r.PL[:5], r.PL[5:]
		a.TL, b.TL = r.TL[:5], r.TL[5:]
		halves = append(halves, a, b)
	}
	got := mustFit(t, halves, o)
	if got.Records != 24 || got.Candidates != 12 {
		t.Errorf("%d records of %d candidates", got.Records, got.Candidates)
	}
	if d := cmp.Diff(want.Terms(), got.Terms()); d != "" {
		t.Error(d)
	}
	if want.BaselineMS(latmodel.TL) != got.BaselineMS(latmodel.TL) {
		t.Error("the baseline's median differs")
	}
}

// TestWeightsByInterval: a candidate that was measured carelessly disturbs a fit
// that weighs by interval less.
func TestWeightsByInterval(t *testing.T) {
	var plainErr, weighted float64
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 14))
		records := plain.draw(t, 16, arch.Build{}, 0.005, rng)
		records = append(records, plain.draw(t, 8, arch.Build{}, 0.15, rng)...)
		a, b := mustFit(t, records, latmodel.Options{Alike: true}).Predictor(arch.Space{}), mustFit(t, records, latmodel.Options{}).Predictor(arch.Space{})
		for range 20 {
			pt, _ := paperSpace().Sample(rng)
			want := plain.ratio(latmodel.TL, paperSpace().Candidate(pt, arch.Build{}), 70)
			_, x := a.At(pt)
			_, y := b.At(pt)
			plainErr, weighted = plainErr+math.Abs(x/want-1), weighted+math.Abs(y/want-1)
		}
	}
	if weighted > 0.8*plainErr {
		t.Errorf("error %.4f weighed by interval, %.4f weighed alike", weighted/400, plainErr/400)
	}
}

func TestColumnsInProportionAreExcluded(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 6))
	var records []record.Record
	for range 12 {
		s := arch.NewSpec(arch.GPT2, 12, 1024, 1024+64*rng.IntN(60), 16)
		records = append(records, plain.session(arch.Candidate{Spec: s}, 12, 0.01, rng))
	}
	m := mustFit(t, records, latmodel.Options{})
	excluded := map[string]string{}
	for _, term := range m.Terms() {
		if term.Target == latmodel.TL && term.Excluded != "" {
			excluded[term.Feature] = term.Excluded
			if term.Weight != 0 {
				t.Errorf("%s is excluded with a weight of %g", term.Feature, term.Weight)
			}
		}
	}
	for _, f := range []string{"operators", "head_weights", "heads"} {
		if excluded[f] != "in proportion to run for all candidates" {
			t.Errorf("%s: %q", f, excluded[f])
		}
	}
}

func TestPredictionWarnsOutsideTheRange(t *testing.T) {
	m := fitted(t)
	p, err := m.Predict(arch.Candidate{Spec: baseline().Spec})
	if err != nil || len(p.Warnings) != 0 {
		t.Fatalf("the baseline: %v, warnings %q", err, p.Warnings)
	}
	if math.Abs(p.TL.Ratio-1) > 0.05 || !p.TL.Interval.Contains(p.TL.Ratio) || p.Level != 0.9 {
		t.Errorf("the baseline is predicted at %+v", p)
	}
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 40, 4096, 16384, 64)}
	if p, err = m.Predict(c); err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"n_layer 40", "d_model 4096", "d_inner 16384", "n_head 64", "bytes_per_token"} {
		if !contains(p.Warnings, "extrapolates: "+size) {
			t.Errorf("no warning about %s: %q", size, p.Warnings)
		}
	}
}

func TestPredictTakesLayersOfDifferentSizes(t *testing.T) {
	m := fitted(t)
	s := baseline().Spec
	s.Layers = slices.Clone(s.Layers)
	for i := range s.Layers {
		s.Layers[i].DInner = 2048 + 512*(i%9) // 4096 on average, as the baseline's
		s.Layers[i].NHead = []int{8, 16, 32}[i%3]
	}
	p, err := m.Predict(arch.Candidate{Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	for target, got := range map[latmodel.Target]float64{latmodel.PL: p.PL.Ratio, latmodel.TL: p.TL.Ratio} {
		if want := plain.ratio(target, arch.Candidate{Spec: s}, 70); math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s %g, truth %g", target, got, want)
		}
	}
}

func TestPredictRefusesWhatItIsNotFor(t *testing.T) {
	m := fitted(t)
	_, err := m.Predict(arch.Candidate{Spec: baseline().Spec, Build: int4})
	wantError(t, err, "default (fused, fp32)", "+int4b32")
	_, err = m.Predict(arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1000, 4096, 16)})
	wantError(t, err, "n_head 16 does not divide d_model 1000")
}

func TestCheckHostNamesTheDifference(t *testing.T) {
	m := fitted(t)
	if err := m.CheckHost(testHost); err != nil {
		t.Fatal(err)
	}
	h := testHost
	h.Flags = []string{"avx512f", "avx2"} // another order is the same host
	if err := m.CheckHost(h); err != nil {
		t.Fatal(err)
	}
	h.LibraryVersion, h.Cores, h.Flags, h.MemoryBytes = "1.33.0", 4, []string{"avx2", "avx512_vnni"}, 16<<30
	wantError(t, m.CheckHost(h), `library_version was "1.32.0" and is "1.33.0"`, "cores was 2 and is 4",
		"memory in GiB was 8 and is 16", "CPU flags gone: avx512f", "CPU flags new: avx512_vnni", "measure and fit")
}

func TestTermsAddUp(t *testing.T) {
	m := fitted(t)
	sum, ms := map[latmodel.Target]float64{}, map[latmodel.Target]float64{}
	for _, term := range m.Terms() {
		if term.Weight < 0 || term.Unit == "" || term.Doc == "" {
			t.Errorf("%+v", term)
		}
		sum[term.Target] += term.ShareOfBaseline
		ms[term.Target] += term.MS
	}
	p, err := m.Predict(baseline())
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[latmodel.Target]float64{latmodel.PL: p.PL.MS, latmodel.TL: p.TL.MS} {
		if math.Abs(sum[target]-1) > 1e-12 || math.Abs(ms[target]/want-1) > 1e-12 {
			t.Errorf("%s: shares add to %g, %g ms of %g", target, sum[target], ms[target], want)
		}
	}
}

func TestFoldsAreSeeded(t *testing.T) {
	records := plain.draw(t, 20, arch.Build{}, 0.02, rand.New(rand.NewPCG(9, 9)))
	fit := func(seed uint64) latmodel.CV {
		m := mustFit(t, records, latmodel.Options{Folds: 4, Rand: rand.New(rand.NewPCG(seed, 0))})
		return m.CV(latmodel.TL)
	}
	a := fit(1)
	if a.Folds != 4 || a.Candidates != 20 {
		t.Errorf("%+v", a)
	}
	if a.Model.MAPE != fit(1).Model.MAPE || a.Model.MAPE == fit(2).Model.MAPE {
		t.Error("folds do not follow the seed")
	}
}

// withProcess is a model of int4 candidates with Gaussian processes.
func withProcess(t testing.TB) *latmodel.Model {
	m := mustFit(t, rippled.draw(t, 20, int4, 0.002, rand.New(rand.NewPCG(7, 8))), latmodel.Options{})
	if m.Process(latmodel.PL) == nil || m.Process(latmodel.TL) == nil {
		t.Fatal("no process")
	}
	return m
}

func TestModelsGoThroughJSON(t *testing.T) {
	m := withProcess(t)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got latmodel.Model
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(again) {
		t.Errorf("written as\n%s\nand again as\n%s", text, again)
	}
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 7, 1280, 6016, 16), Build: int4}
	want, err := m.Predict(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := got.Predict(c)
	if d := cmp.Diff(want, p); err != nil || d != "" {
		t.Error(err, d)
	}
	if d := cmp.Diff(m.Terms(), got.Terms()); d != "" {
		t.Error(d)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"version": 4.0, "baseline_name": "gpt2-l12-d1024-f4096-h16+int4b32", "build_name": "+int4b32",
		"host_hash": testHost.Hash(), "library_version": "1.32.0", "records": 20.0, "candidates": 20.0, "binding": "shared",
	} {
		if fields[key] != want {
			t.Errorf("%s is %v, want %v", key, fields[key], want)
		}
	}
}

func TestOtherJSONIsRefused(t *testing.T) {
	text, err := json.Marshal(withProcess(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"version":4`, `"version":1`, "version 1 of the model: this program reads version 4"},
		{`"version":4`, `"version":4,"more":true`, "more"},
		{`"feature":"operators"`, `"feature":"nodes"`, "terms[1] is nodes"},
		{`"unit":"MB"`, `"unit":"GB"`, "GB"},
		{`"GFLOP","weight":`, `"GFLOP","weight":-`, "want 0 or more"},
		{`"measured":`, `"measured":-`, "want a positive number"},
		{`"fold":1,`, `"fold":77,`, "of fold 77"},
		{`"points":[[`, `"points":[[1],[`, "points"},
		{`"shape":["log n_layer"`, `"shape":["log depth"`, "log depth"},
		{`"library_version":"1.32.0","provider"`, `"library_version":"1.31.0","provider"`, "host_hash"},
		{`"level":0.9`, `"level":9`, "level 9"},
		{`"binding":"shared"`, `"binding":"none"`, "binding"},
		{`"baseline_ms":`, `"baseline_ms":-`, "positive time"},
		{`"candidates":20,"left_out"`, `"candidates":21,"left_out"`, "21 candidates of 20 records"},
		{`"name":"d_model"`, `"name":"depth"`, "depth"},
		{`"amplitude":`, `"amplitude":-`, "amplitude"},
		{`"inverse_lengths":[`, `"inverse_lengths":[1,`, "5 inverse_lengths"},
		{`"alpha":[`, `"alpha":[1,`, "alpha"},
		{`"naive_decoder_params":{"weights":[`, `"naive_decoder_params":{"weights":[1,`, "naive_decoder_params"},
	} {
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Errorf("%s is not in the model", c.old)
		}
		var m latmodel.Model
		wantError(t, json.Unmarshal([]byte(changed), &m), c.want)
	}
}

// FuzzUnmarshalModel: any bytes are a model that works, or an error.
func FuzzUnmarshalModel(f *testing.F) {
	text, err := json.Marshal(fitted(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	if text, err = json.Marshal(withProcess(f)); err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":4}`))
	f.Add([]byte(`null`))
	c := arch.Candidate{Spec: baseline().Spec}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m latmodel.Model
		if json.Unmarshal(b, &m) != nil {
			return
		}
		c := c
		c.Build = m.Build
		p, err := m.Predict(c)
		if err == nil && !(p.PL.Ratio > 0 && p.PL.Interval.Contains(p.PL.Ratio)) {
			t.Errorf("predicts %+v", p)
		}
		m.Terms()
		if _, err := json.Marshal(&m); err != nil {
			t.Error(err)
		}
	})
}
