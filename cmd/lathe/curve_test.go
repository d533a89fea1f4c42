package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"lathe/finetune/text"
	"lathe/finetune/tokenizer"
	"lathe/graphgen/hf"
	"lathe/graphgen/weights"
)

var (
	curveOf = flag.String("curve.of", "", "folder of a training that .ci/peers/curve.py is to repeat")
	curveTo = flag.String("curve.to", "", "folder that what it needs for that is written to")
)

// TestWriteCurve writes what another implementation needs to repeat a training from
// random weights: those, as transformers opens them, and the tokens of every step and of
// every look at the development set, uint16.
func TestWriteCurve(t *testing.T) {
	if *curveOf == "" || *curveTo == "" {
		t.Skip("for .ci/peers/curve.py, which says how")
	}
	p, err := readPlan(*curveOf)
	if err != nil {
		t.Fatal(err)
	}
	if p.From != "" || p.Teacher != nil || p.Spec.Vocab > 1<<16 {
		t.Fatalf("%s begins with %q and has %d tokens: want random weights, no teacher and at most %d", p.Spec.Name(), p.From, p.Spec.Vocab, 1<<16)
	}
	cfg, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{stdout: io.Discard, stderr: os.Stderr, quiet: true, cfg: cfg}
	defer a.close()
	tr := &training{a: a, plan: p, dir: *curveOf}
	defer tr.close()
	if tr.tk, err = tokenizer.Load(*curveOf); err != nil {
		t.Fatal(err)
	}
	if err := tr.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	src, err := tr.startWeights(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.model.Load(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	start := filepath.Join(*curveTo, "start")
	if err := os.MkdirAll(start, 0o777); err != nil {
		t.Fatal(err)
	}
	tensors := tr.model.Source().(*weights.Given).Tensors
	err = hf.Save(t.Context(), start, hf.Saving{Spec: p.Spec, Write: func(ctx context.Context, w io.Writer, x hf.Tensor) error {
		return weights.WriteMatrix(ctx, w, tensors[x.Name], weights.Float32)
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, p, filepath.Join(*curveTo, "train.bin"), tr.rows, p.Schedule.Steps*p.Passes)
	writeRows(t, p, filepath.Join(*curveTo, "dev.bin"), tr.dev, tr.looks(tr.dev))
}

// writeRows writes the rows of batches, each with the token behind it. Rows that do not
// count are left out.
func writeRows(t *testing.T, p *trainPlan, path string, b *text.Batches, batches int) {
	n := p.Rows * p.Sequence
	ids, labels := make([]int64, n), make([]int64, n)
	var out bytes.Buffer
	for k := range batches {
		if err := b.Fill(k, ids, labels); err != nil {
			t.Fatal(err)
		}
		for row := 0; row < n; row += p.Sequence {
			last := labels[row+p.Sequence-1]
			if last == text.Ignored {
				continue
			}
			for _, id := range append(ids[row:row+p.Sequence:row+p.Sequence], last) {
				out.Write(binary.LittleEndian.AppendUint16(nil, uint16(id)))
			}
		}
	}
	if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
