package main

import (
	"bytes"
	"testing"

	"lathe/graphgen/arch"
)

// A candidate of a front whose name does not say its layers comes back from the file, and
// is not called by its name in what is printed.
func TestFrontYAML(t *testing.T) {
	c := arch.Candidate{
		Spec: arch.Spec{Family: arch.Mixed, Vocab: 300, Positions: 64, DModel: 32, Layers: []arch.Layer{
			{Type: arch.LSTM, Hidden: 48}, {Type: arch.Transformer, NHead: 2, DInner: 64}, {Type: arch.GRU},
		}},
		Build: arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: 64}, Threads: 2},
	}.Normalized()
	same := arch.Candidate{Spec: arch.NewSpec(arch.LLaMA, 2, 32, 64, 2)}.Normalized()
	b := &frontBody{Search: "0a1b", Front: []frontEntry{{Candidate: same}}, Pick: &frontPick{}, Variants: []frontEntry{{Candidate: c}}}
	b.Pick.Candidate = c
	for name, want := range map[string]arch.Candidate{"pick": c, c.Name(): c, same.Name(): same} {
		var out bytes.Buffer
		if err := (&app{stdout: &out}).printYAML(b, name); err != nil {
			t.Fatal(err)
		}
		if got, err := arch.ParseYAML("pick.yaml", out.Bytes()); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v from\n%s", name, got, err, &out)
		}
	}
	if err := (&app{}).printYAML(b, "lstm-l2-d32"); !isInputError(err) {
		t.Errorf("a name that the front has not: %v", err)
	}
	if named(c) || !named(same) {
		t.Error("which names say all is not known")
	}
}
