package graphgen_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/inspect"
	"lathe/graphgen/ir"
)

// beside places every parameter in one external file.
type beside struct {
	file string
	end  int64
}

func (b *beside) Place(p *ir.Param) (ir.Placement, error) {
	at := b.end
	b.end += p.Bytes()
	return ir.Placement{Location: b.file, Offset: at}, nil
}

// TestEmittedTopology: every emitted graph of the corpus, read by onnx-go, has the
func TestEmittedTopology(t *testing.T) {
	const data = "weights"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, data), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, data), 1<<30); err != nil { // a hole
		t.Fatal(err)
	}
	for i, s := range append(corpus(), recurrentCorpus()...) {
		for j, b := range buildsOf(s) {
			if (i+j)%4 != 0 {
				continue // every build meets a quarter of the corpus
			}
			for mode, name := range map[graphgen.Mode]string{graphgen.Cached: "cached", graphgen.Plain: "plain"} {
				c := arch.Candidate{Spec: s, Build: b}
				g, err := graphgen.Lower(c, mode)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := ir.Encode(g, &beside{file: data})
				if err != nil {
					t.Fatal(err)
				}
				r, err := inspect.Read(bytes.NewReader(raw), int64(len(raw)), dir)
				if err != nil {
					t.Fatalf("%s: %v", c.Name(), err)
				}
				compareTopology(t, c.Name()+" "+name, g, r)
				if len(r.Problems) > 0 || len(r.Cycles) > 0 {
					t.Errorf("%s %s: cycles %q, problems %q", c.Name(), name, r.Cycles, r.Problems)
				}
				// A stack whose head is quantized is one graph in both dialects.
				same := s.Stack() && b.Normalized().Head.Type != arch.Unquantized
				if got := r.Candidate; got == nil || !got.Agrees || got.Name != c.Name() && !same || got.Mode != name || got.TotalParams != s.TotalParams() {
					t.Errorf("%s %s is taken for %+v", c.Name(), name, got)
				}
			}
		}
	}
}

func compareTopology(t *testing.T, name string, g *ir.Graph, r *inspect.Report) {
	t.Helper()
	type operator struct{ domain, op string }
	want, got := map[operator][2]int{}, map[operator][2]int{} // in the graph, in bodies
	edges := map[[2]string]bool{}
	uses := func(n *ir.Node, in *ir.Value) {
		for _, out := range n.Outputs {
			if out != nil && in != nil {
				edges[[2]string{out.Name, in.Name}] = true
			}
		}
	}
	own := map[*ir.Value]bool{} // of bodies
	g.Walk(func(n, in *ir.Node) {
		count := want[operator{n.Domain, n.Op}]
		if in != nil {
			count[1]++
			for _, v := range n.Outputs {
				own[v] = true
			}
			for _, v := range n.Inputs {
				if !own[v] {
					uses(in, v) // what a body takes from outside, its node depends on
				}
			}
		} else {
			count[0]++
			for _, v := range n.Inputs {
				uses(n, v)
			}
			if b := n.Body(); b != nil {
				for _, v := range b.Inputs {
					own[v] = true
				}
			}
		}
		want[operator{n.Domain, n.Op}] = count
	})
	for _, o := range r.Operators {
		got[operator{o.Domain, o.Op}] = [2]int{o.Count, o.Nested}
	}
	if !maps.Equal(want, got) {
		t.Errorf("%s: operators %v, lowered were %v", name, got, want)
	}
	if r.Edges != len(edges) {
		t.Errorf("%s: %d edges, lowered were %d", name, r.Edges, len(edges))
	}
	for e := range edges {
		from, ok1 := r.Graph.Lookup(e[0])
		to, ok2 := r.Graph.Lookup(e[1])
		if !ok1 || !ok2 || !r.Graph.HasEdgeFromTo(from.ID(), to.ID()) {
			t.Errorf("%s: no edge from %s to %s", name, e[0], e[1])
		}
	}
	if len(r.Inputs) != len(g.Inputs) || len(r.Outputs) != len(g.Outputs) {
		t.Errorf("%s: %d inputs and %d outputs, lowered were %d and %d", name, len(r.Inputs), len(r.Outputs), len(g.Inputs), len(g.Outputs))
	}
}
