package recover_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/ir"
	"lathe/graphgen/recover"
)

// zeros places parameters in the model itself.
type zeros struct{}

func (zeros) Place(p *ir.Param) (ir.Placement, error) {
	return ir.Placement{Inline: make([]byte, p.Bytes())}, nil
}

// FuzzOpen: any file is a model whose weights are whole and can be read, or an error.
func FuzzOpen(f *testing.F) {
	for _, c := range []string{"gpt2-l1-d8-f8-h1-v9-p8", "gpt2-l1-d8-f8-h1-v9-p8+portable+int4b16", "llama-l1-d8-f8-h2-kv1-v9-p8+portable", "llama-l1-d16-f8-h1-v9-p8"} {
		parsed, err := arch.ParseCandidate(c)
		if err != nil {
			f.Fatal(err)
		}
		g, err := graphgen.Lower(parsed, graphgen.Cached)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := ir.Encode(g, zeros{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		path := filepath.Join(f.TempDir(), "model.onnx")
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			f.Fatal(err)
		}
		changed(f, path, anonymous)
		if raw, err = os.ReadFile(path); err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, make := range []func(testing.TB) (*exported, string){odd{}.gpt2, odd{}.llama} {
		e, _ := make(f)
		raw, err := proto.Marshal(e.m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := recover.Open(path)
		if err != nil {
			return
		}
		defer m.Close()
		if err := m.Spec.Validate(); err != nil {
			t.Fatal(err)
		}
		if m.Spec.TotalParams() > 1<<22 {
			return
		}
		for _, want := range hf.Tensors(m.Spec) {
			if m.Tensors[want.Name] == nil {
				t.Fatalf("no %s", want.Name)
			}
			all(t, m.Tensors[want.Name])
		}
	})
}
