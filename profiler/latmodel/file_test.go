package latmodel_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

// theFile is an ONNX file that was recognised as spec, or not.
func theFile(spec *arch.Spec) record.Subject {
	return record.Subject{File: &record.File{Base: "theirs.onnx", SHA256: strings.Repeat("ab", 32), Bytes: 1 << 20, Vocab: 50257, Spec: spec}}
}

// beside has records say that their baseline was another.
func beside(b record.Subject, records []record.Record) (out []record.Record) {
	for _, r := range records {
		r.Baseline = b
		out = append(out, r)
	}
	return out
}

// An ONNX file as a baseline is a scale and no more: what a model says is what it says
// beside a candidate of another build, which is no point of the fit either.
func TestFitBesideAFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 1))
	records := plain.draw(t, 30, arch.Build{}, 0.01, rng)
	other := baseline()
	other.Build.Threads = 2
	want := mustFit(t, beside(record.Of(other), records), latmodel.Options{})
	spec := baseline().Spec
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16)}
	for _, b := range []record.Subject{theFile(nil), theFile(&spec)} {
		got := mustFit(t, beside(b, records), latmodel.Options{Baseline: &b})
		a, errA := want.Predict(c)
		p, errP := got.Predict(c)
		if errA != nil || errP != nil || a.PL != p.PL || a.TL != p.TL {
			t.Errorf("%+v, %v\nwant %+v, %v", p, errP, a, errA)
		}
		_, known := b.Spec()
		share := 0.0
		for _, term := range got.Terms() {
			share += term.ShareOfBaseline
		}
		if known && math.Abs(share-2) > 1e-9 || !known && share != 0 {
			t.Errorf("shares add to %g, known %v", share, known)
		}
		text, err := got.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back := new(latmodel.Model)
		if err := back.UnmarshalJSON(text); err != nil || !back.Baseline.Equal(b) {
			t.Errorf("read again: %v, %v", back.Baseline, err)
		}
		if again, err := back.Predict(c); err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("read again: %+v, want %+v, %v", again, p, err)
		}
	}
}

// P95 beside a file: with its requests measured it is right, whether the file was
// recognised or not; without them it takes the Spec to know how times grow.
func TestP95BesideAFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 2))
	w := someWorkload(300)
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16)}
	truth := plain.trueP95(c, w) / plain.trueP95(baseline(), w)
	spec := baseline().Spec
	for _, b := range []record.Subject{theFile(nil), theFile(&spec)} {
		m := mustFit(t, beside(b, plain.draw(t, 30, arch.Build{}, 0.005, rng)), latmodel.Options{})
		var records []record.Record
		for _, r := range plain.draw(t, 6, arch.Build{}, 0, rng) {
			records = append(records, plain.requests(r.Candidate.Candidate, w, rng))
		}
		tail, err := m.Tail(beside(b, records))
		if err != nil || tail.Requests != 6*270 {
			t.Fatal(tail, err)
		}
		p, err := m.P95(c, w, tail)
		if err != nil || math.Abs(p.Ratio/truth-1) > 0.08 {
			t.Errorf("ratio %.3f, truth %.3f, %v", p.Ratio, truth, err)
		}
		_, known := b.Spec()
		if contains(p.Warnings, "was not recognised") == known {
			t.Errorf("known %v, warnings %q", known, p.Warnings)
		}
		alone, err := m.P95(c, w, latmodel.Tail{})
		if known && (err != nil || math.Abs(alone.Ratio/truth-1) > 0.08) {
			t.Errorf("without a tail: ratio %.3f, truth %.3f, %v", alone.Ratio, truth, err)
		}
		if !known && (err == nil || !strings.Contains(err.Error(), "how the times of theirs.onnx@abababab depend on lengths is not known: measure requests beside it, 20 or more")) {
			t.Errorf("without a tail: %v", err)
		}
	}
}
