package arch

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestValidateSpec(t *testing.T) {
	base := NewSpec(GPT2, 2, 64, 128, 4)
	if err := base.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Spec)
		says   string
	}{
		{func(s *Spec) { s.Family = "lstm" }, `unknown family "lstm"`},
		{func(s *Spec) { s.Vocab = 0 }, "vocab 0"},
		{func(s *Spec) { s.Positions = -1 }, "positions -1"},
		{func(s *Spec) { s.DModel = -64 }, "d_model -64"},
		{func(s *Spec) { s.HeadDim = -1 }, "head_dim -1"},
		{func(s *Spec) { s.Layers = nil }, "n_layer 0"},
		{func(s *Spec) { s.Layers = make([]Layer, MaxLayers+1) }, "n_layer 1025"},
		{func(s *Spec) { s.Layers[1].NHead = 5 }, "layer 1: n_head 5 does not divide d_model 64: use n_head 4 or 8"},
		{func(s *Spec) { s.Layers[1].DInner = -3 }, "layer 1: d_inner -3"},
		{func(s *Spec) { s.Layers[0].Type = "lstm" }, `layer 0: unknown layer type "lstm"`},
		{func(s *Spec) { s.DModel = MaxDModel; s.Layers[0].NHead = 1 }, "head_dim (d_model/n_head) 65536"},
	} {
		s := NewSpec(GPT2, 2, 64, 128, 4)
		c.change(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), "arch: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
		// Whatever the Spec, nothing about it panics.
		bad := Candidate{Spec: s}
		_, _, _ = bad.Name(), bad.Hash(), bad.Counts()
	}
	if err := (Spec{}).Validate(); err == nil {
		t.Error("a zero Spec is valid")
	}
}

func TestValidateBuild(t *testing.T) {
	if err := (Build{}).Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		build Build
		says  string
	}{
		{Build{Dialect: "onnx"}, `unknown dialect "onnx"`},
		{Build{Precision: Precision{Type: "int8"}}, `unknown precision "int8"`},
		{Build{Precision: Precision{Type: Int4, Block: 48}}, "int4 block 48"},
		{Build{Precision: Precision{Type: Int4, Block: -16}}, "int4 block -16"},
		{Build{Precision: Precision{Type: FP32, Block: 32}}, "fp32 has no block"},
		{Build{Precision: Precision{Block: 32}}, `unknown precision ""`},
		{Build{Head: Precision{Type: "fp16"}}, `LM head: unknown precision "fp16"`},
		{Build{Threads: -1}, "threads -1"},
		{Build{Threads: 1025}, "threads 1025"},
		{Build{Provider: Provider{Name: "CUDA"}}, "did you mean cuda?"},
		{Build{Provider: Provider{Options: map[string]string{"": "x"}}}, "an option has no name"},
	} {
		if err := c.build.Validate(); err == nil || !strings.HasPrefix(err.Error(), "arch: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.build, err, c.says)
		}
		_, _ = c.build.Name(), c.build.Hash()
	}
}

func TestCheckSpecOfMixedLayers(t *testing.T) {
	s := Spec{Family: GPT2, Vocab: 10, Positions: 10, DModel: 48, Layers: []Layer{{NHead: 6, DInner: 8}, {NHead: 4, DInner: 8}}}
	err := Build{}.CheckSpec(s)
	if err == nil || !strings.Contains(err.Error(), "layer 1") || !strings.Contains(err.Error(), "got 12") || !strings.Contains(err.Error(), "n_head 3 or 6") {
		t.Error(err)
	}
	if err := (Build{Dialect: Portable}).CheckSpec(s); err != nil {
		t.Error(err)
	}
}

// TestSpaceConstraintsAreCheckSpec: a point passes a Build's constraints exactly
// where its Spec passes CheckSpec.
func TestSpaceConstraintsAreCheckSpec(t *testing.T) {
	space := Space{NLayer: Axis{Min: 1, Max: 2}, DModel: Axis{Min: 8, Max: 96, Step: 8}, DInner: Axis{Choices: []int{64}}, NHead: Axis{Min: 1, Max: 12}}
	all, err := space.Compile()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := drawBuild(t, true)
		constraints, err := b.SpaceConstraints()
		if err != nil {
			if b.CheckSpec(all.Spec(Point{1, 64, 64, 1})) == nil {
				t.Fatalf("%s runs, but has no constraints: %v", b.Name(), err)
			}
			return
		}
		some, err := space.With(constraints...).Compile()
		if err != nil {
			t.Fatal(err)
		}
		for p := range all.Points() {
			if err := b.CheckSpec(all.Spec(p)); (err == nil) != some.Contains(p) {
				t.Fatalf("%s: %+v: %v", b.Name(), p, err)
			}
		}
	})
}
