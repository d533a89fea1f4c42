package recover_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/recover"
)

// damage changes one thing of a graph's structure that bytes seldom hit: what a node
// takes and gives, its operator, its attributes, the shape of a tensor or of an input.
func damage(rng *rand.Rand, m *onnxpb.ModelProto) {
	g := m.Graph
	pick := func(n int) int { return rng.IntN(max(1, n)) }
	n, other := g.Node[pick(len(g.Node))], g.Node[pick(len(g.Node))]
	in, out := pick(len(n.Input)), pick(len(n.Output))
	switch rng.IntN(12) {
	case 0:
		n.Input = n.Input[:in]
	case 1:
		n.Output = n.Output[:out]
	case 2:
		if len(n.Input) > 0 {
			n.Input[in] = ""
		}
	case 3:
		if len(n.Output) > 0 {
			n.Output[out] = ""
		}
	case 4:
		if len(n.Input) > 0 && len(other.Input) > 0 {
			n.Input[in] = other.Input[pick(len(other.Input))]
		}
	case 5: // names that are made of others'
		if len(n.Output) > 0 && len(other.Output) > 0 {
			old, to := n.Output[out], other.Output[0]+[]string{"/sum", "/biased", "/product", "/words"}[rng.IntN(4)]
			for _, x := range g.Node {
				for _, list := range [][]string{x.Input, x.Output} {
					for i, name := range list {
						if name == old {
							list[i] = to
						}
					}
				}
			}
		}
	case 6:
		n.OpType, n.Domain = other.OpType, other.Domain
	case 7:
		n.Attribute = slices.Clone(other.Attribute)
	case 8:
		if len(n.Attribute) > 0 {
			a := n.Attribute[pick(len(n.Attribute))]
			v := []int64{-1, 0, 1, 3, 7, 1 << 40, -1 << 63}[rng.IntN(7)]
			a.I = &v
			for i := range a.Ints {
				a.Ints[i] = v
			}
		}
	case 9:
		if len(g.Initializer) > 0 {
			t := g.Initializer[pick(len(g.Initializer))]
			if len(t.Dims) > 0 {
				t.Dims = append(t.Dims[:len(t.Dims)-1:len(t.Dims)-1], 1, t.Dims[len(t.Dims)-1])
			} else {
				t.Dims = []int64{1}
			}
		}
	case 10:
		if len(g.Initializer) > 0 {
			g.Initializer[pick(len(g.Initializer))].Dims = []int64{0, 4}
		}
	case 11:
		if s := g.Input[pick(len(g.Input))].GetType().GetTensorType().GetShape(); s != nil && len(s.Dim) > 0 {
			s.Dim[pick(len(s.Dim))].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: []int64{-1, 0, 1, 5, 1 << 40}[rng.IntN(5)]}
		}
	}
}

// TestDamaged: a graph that is broken anywhere is refused, or still a whole model.
func TestDamaged(t *testing.T) {
	var seeds []*onnxpb.ModelProto
	for _, c := range []string{
		"gpt2-l1-d8-f8-h1-v9-p8", "gpt2-l1-d8-f8-h1-v9-p8+portable+int4b16", "gpt2-l1-d16-f16-h1-v9-p8+int8b16+embed-int8b16",
		"gpt2-l1-d8-f8-h1-v9-p8+int8dyn", "llama-l1-d8-f8-h2-kv1-v9-p8+portable", "llama-l1-d16-f8-h1-v9-p8",
	} {
		parsed, err := arch.ParseCandidate(c)
		if err != nil {
			t.Fatal(err)
		}
		g, err := graphgen.Lower(parsed, graphgen.Cached)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ir.Encode(g, zeros{})
		if err != nil {
			t.Fatal(err)
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(raw, m); err != nil {
			t.Fatal(err)
		}
		anonymous(m)
		seeds = append(seeds, m)
	}
	for _, make := range []func(testing.TB) (*exported, string){odd{}.gpt2, odd{}.llama} {
		e, _ := make(t)
		seeds = append(seeds, e.m)
	}
	rng := rand.New(rand.NewPCG(11, 12))
	path := filepath.Join(t.TempDir(), "model.onnx")
	found := 0
	for i := range 1600 {
		m := proto.Clone(seeds[i%len(seeds)]).(*onnxpb.ModelProto)
		for range 1 + rng.IntN(2) {
			damage(rng, m)
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		func() {
			r, err := recover.Open(path)
			if err != nil {
				return
			}
			defer r.Close()
			found++
			for _, want := range hf.Tensors(r.Spec) {
				if r.Tensors[want.Name] == nil {
					t.Fatalf("model %d: no %s", i, want.Name)
				}
				all(t, r.Tensors[want.Name])
			}
		}()
	}
	if found == 0 || found == 1600 {
		t.Errorf("%d of 1600 were decoders", found)
	}
}
