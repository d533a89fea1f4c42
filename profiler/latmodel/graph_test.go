package latmodel_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/profiler/latmodel"
)

// recurrentCorpus is stacks of recurrent layers and models of mixed ones, of hidden sizes
// of their own and such that int4 rows are split.
func recurrentCorpus() []arch.Spec {
	rng := rand.New(rand.NewPCG(12, 3))
	specs := []arch.Spec{arch.NewStack(arch.LSTM, 2, 1024, 0), arch.NewStack(arch.GRU, 3, 960, 1088)}
	for i := range 24 {
		s := arch.Spec{
			Family: []arch.Family{arch.LSTM, arch.GRU, arch.Mixed, arch.Mixed}[i%4], Vocab: 30 + rng.IntN(300), Positions: 200, DModel: 16 * (1 + rng.IntN(70)),
			Untied: rng.IntN(3) == 0,
		}
		for k := range 1 + rng.IntN(4) {
			l := arch.Layer{Type: arch.LayerType(s.Family)}
			if s.Family == arch.Mixed {
				l.Type = []arch.LayerType{arch.GRU, arch.LSTM, arch.Transformer}[(i/4+k)%3]
			}
			if l.Type == arch.Transformer {
				l.NHead, l.DInner = []int{1, 2}[rng.IntN(2)], 8+rng.IntN(200)
			} else if rng.IntN(2) == 0 {
				l.Hidden = 1 + rng.IntN(1300)
			}
			s.Layers = append(s.Layers, l)
		}
		specs = append(specs, s)
	}
	return specs
}

// corpus is specs of both families and many shapes: one layer and several, layers of different
// widths and heads, head sizes of their own, tied and untied heads, sizes that
// are no multiple of a quantization block.
func corpus() []arch.Spec {
	rng := rand.New(rand.NewPCG(11, 3))
	specs := []arch.Spec{
		arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16), arch.NewSpec(arch.GPT2, 7, 1280, 6016, 16), arch.NewSpec(arch.GPT2, 8, 960, 7168, 4),
		arch.NewSpec(arch.GPT2, 6, 832, 1088, 8),
		arch.NewSpec(arch.LLaMA, 12, 1024, 2816, 16).WithKVHeads(4), arch.NewSpec(arch.LLaMA, 6, 832, 2240, 8),
	}
	for i := range 40 {
		heads, headDim := []int{1, 2, 4, 6}[rng.IntN(4)], 8*(1+rng.IntN(6))
		s := arch.Spec{
			Family: []arch.Family{arch.GPT2, arch.LLaMA}[i%2], Vocab: 30 + rng.IntN(300), Positions: 200 + rng.IntN(30),
			DModel: heads * headDim, Untied: rng.IntN(3) == 0,
		}
		if i%5 == 4 {
			s.HeadDim, s.DModel = headDim, 24+8*rng.IntN(10)
		}
		for range 1 + rng.IntN(5) {
			l := arch.Layer{Type: arch.Transformer, NHead: heads, DInner: 8 + rng.IntN(200)}
			if i%3 == 1 && heads%2 == 0 {
				l.NHead = heads / (1 + rng.IntN(2))
			}
			if s.Rotary() && rng.IntN(2) == 0 {
				l.NKVHead = []int{1, l.NHead / 2}[rng.IntN(2)]
			}
			s.Layers = append(s.Layers, l)
		}
		s.QKVBias = s.Rotary() && i%4 == 1
		specs = append(specs, s)
	}
	return specs
}

func corpusBuilds(t *testing.T) (out []arch.Build) {
	for _, d := range []string{"+portable", "+fused"} {
		for _, parts := range []string{
			"", "+int4b32", "+int4b16+head-fp32", "+head-int4b128", "+int4b64+head-int4b16+embed-fp32", "+int8b32asym",
			"+int8dyn", "+int4b16asym+head-int8dyn", "+int8b64+embed-int4b32asym", "+embed-int8b128",
			"+fp16", "+int4b32+fp16", "+int8b64asym+fp16+head-fp16+embed-int4b32",
		} {
			b, err := arch.ParseBuild(d + parts)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
		}
	}
	return out
}

// graph counts what a lowered graph does in one step.
type graph struct {
	*ir.Graph
	t          *testing.T
	rows, past int64
}

func (g graph) dim(d ir.Dim) int64 {
	switch d.Sym {
	case "":
		return d.N
	case "batch_size", "kept_sequence_length":
		return 1
	case "sequence_length":
		return g.rows
	case "past_sequence_length":
		return g.past
	case "past_sequence_length + sequence_length":
		return g.past + g.rows
	}
	g.t.Fatalf("unknown symbol %s", d.Sym)
	return 0
}

func (g graph) elements(v *ir.Value) int64 {
	n := int64(1)
	for _, d := range v.Shape {
		n *= g.dim(d)
	}
	return n
}

func (g graph) is(name string, v *ir.Value) bool { return v != nil && strings.HasPrefix(v.Name, name) }

// weight reports which parameter a product multiplies by, or nil: the head's may
// be transposed or reshaped first.
func (g graph) weight(n *ir.Node) *ir.Param {
	for _, p := range g.Params {
		if p.Value == n.Inputs[1] {
			return p
		}
	}
	for _, m := range g.Nodes {
		if (m.Op == "Transpose" || m.Op == "Reshape") && m.Outputs[0] == n.Inputs[1] {
			for _, p := range g.Params {
				if p.Value == m.Inputs[0] {
					return p
				}
			}
		}
	}
	return nil
}

// counts are the features' values, found by going over the graph.
func (g graph) counts(nHead int64) map[string]float64 {
	c := tally{"run": 1, "operators": int64(len(g.Nodes)), "heads": nHead}
	gathered := map[*ir.Value]bool{}
	for _, n := range g.Nodes {
		if n.Op == "Gather" {
			gathered[n.Inputs[0]] = true
		}
		if n.Op == "GatherBlockQuantized" { // codes, scales and zero points
			for _, v := range append(n.Inputs[:1:1], n.Inputs[2:]...) {
				gathered[v] = true
			}
		}
	}
	multiplied := map[*ir.Value]bool{}
	g.Walk(func(n, in *ir.Node) {
		if in != nil {
			g.step(n, c)
			return
		}
		out := n.Outputs[0]
		switch n.Op {
		case "LSTM", "GRU":
			gates, hidden := g.dim(n.Inputs[1].Shape[1]), g.dim(n.Inputs[2].Shape[2])
			c["linear_flops"] += 2 * g.rows * gates * g.dim(n.Inputs[1].Shape[2])
			c.state(g.rows, g.elements(n.Inputs[2])*4)
			c["gates"] += g.rows * gates
			if n.Op == "LSTM" {
				c["gates"] += g.rows * hidden
			}
		case "MatMul", "FusedMatMul", "MatMulNBits", "DynamicQuantizeMatMul":
			x := n.Inputs[0]
			k := g.dim(x.Shape[len(x.Shape)-1])
			flops := 2 * g.elements(out) * k
			p := g.weight(n)
			if p == nil {
				c["attention_flops"] += flops
				return
			}
			multiplied[p.Value] = true
			for _, v := range g.beside(n) {
				multiplied[v.Value] = true
			}
			if !strings.HasPrefix(n.Name, "head/") {
				c["linear_flops"] += flops
			}
			// A row of split weights is no whole number of cache lines; for one row of
			// activations it counts from seven lines on.
			if row := g.rowBytes(p); row%64 != 0 {
				if !strings.HasPrefix(n.Name, "head/") {
					c["split_flops"] += flops
				}
				if row >= 7*64 && g.rows == 1 {
					c["split_outputs"] += g.elements(out)
				}
			}
			if rows := g.elements(out) / g.dim(out.Shape[len(out.Shape)-1]); rows == 1 && g.rows > 1 {
				c["one_row_weights"] += p.Bytes()
				for _, v := range g.beside(n) {
					c["one_row_weights"] += v.Bytes()
				}
			}
		case "Softmax":
			c["scores"] += g.elements(out)
		case "Gelu", "FastGelu", "QuickGelu", "Sigmoid":
			c["gelu"] += g.elements(out)
		}
	})
	for _, p := range g.Params {
		read := p.Bytes()
		if gathered[p.Value] { // one row, and all of it where it is the head too
			read = p.Bytes() / p.Shape[0].N
			if multiplied[p.Value] {
				read += p.Bytes()
			}
		}
		if g.is("transformer.h.", p.Value) || g.is("model.layers.", p.Value) || g.is("rnn.", p.Value) || g.is("proj.", p.Value) {
			c["layer_weights"] += read
		} else {
			c["head_weights"] += read
		}
	}
	for _, v := range g.Outputs {
		if g.is("present.", v) {
			c["kv_cache"] += g.elements(v) * v.Type.Size()
		}
	}
	unit := map[string]float64{"run": 1, "operators": 1, "heads": 1, "linear_flops": 1e-9, "split_flops": 1e-9, "attention_flops": 1e-9, "split_outputs": 1e-3}
	values := map[string]float64{}
	for _, t := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		for _, f := range latmodel.Features(t) {
			scale, ok := unit[f.Name]
			if !ok {
				scale = 1e-6 // MB and millions
			}
			values[f.Name] = scale * float64(c[f.Name])
		}
	}
	return values
}

// tally is features' counts, by name.
type tally map[string]int64

// state counts a matrix that every row reads, and what of it comes from memory: of one of
// 13 MB nothing, of one of 26 MB all.
func (c tally) state(rows, bytes int64) {
	c["sequential_weights"] += rows * bytes
	if bytes >= 26e6 {
		c["uncached_weights"] += rows * bytes
	} else if bytes > 13e6 {
		c["uncached_weights"] += rows * 2 * (bytes - 13e6)
	}
}

// step counts a node within a Scan, which runs for every token.
func (g graph) step(n *ir.Node, c tally) {
	c["operators"] += g.rows
	out := n.Outputs[0]
	switch n.Op {
	case "MatMulNBits", "DynamicQuantizeMatMul":
		p := g.weight(n)
		bytes := p.Bytes()
		for _, v := range g.beside(n) {
			bytes += v.Bytes()
		}
		c.state(g.rows, bytes)
		if row := g.rowBytes(p); row%64 != 0 && row >= 7*64 && g.rows == 1 {
			c["split_outputs"] += g.elements(out)
		}
	case "Sigmoid", "Tanh":
		c["gates"] += g.rows * g.elements(out)
	}
}

// rowBytes is the bytes of one output's int4 weights, 0 for others.
func (g graph) rowBytes(p *ir.Param) int64 {
	if p.Quant == nil || p.Quant.Bits != 4 {
		return 0
	}
	return p.Bytes() / p.Shape[0].N
}

// beside are the parameters that a quantized product has beside its weight: scales and
// zero points. A bias, which is not quantized, counts by itself.
func (g graph) beside(n *ir.Node) (out []*ir.Param) {
	for _, v := range n.Inputs[2:] {
		for _, p := range g.Params {
			if p.Value == v && p.Quant != nil {
				out = append(out, p)
			}
		}
	}
	return out
}

func near(a, b float64) bool {
	d := a - b
	return d <= 1e-12*(1+a) && -d <= 1e-12*(1+a)
}

func TestFeaturesEqualTheGraph(t *testing.T) {
	for i, s := range append(corpus(), recurrentCorpus()...) {
		nHead := int64(0)
		for _, l := range s.Layers {
			nHead += int64(l.NHead)
		}
		for _, b := range corpusBuilds(t) {
			c := arch.Candidate{Spec: s, Build: b}
			if b.Float == arch.FP16 && slices.ContainsFunc(s.Layers, func(l arch.Layer) bool { return l.Type.Recurrent() }) {
				continue // recurrent layers are fp32
			}
			lowered, err := graphgen.Lower(c, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []struct {
				target     latmodel.Target
				rows, past int
			}{{latmodel.PL, 64, 0}, {latmodel.PL, 7, 0}, {latmodel.TL, 1, 72}} {
				want := graph{lowered, t, int64(at.rows), int64(at.past)}.counts(nHead)
				if b.Dialect == arch.Fused {
					// One operator holds what portable spells out: taken from there.
					c := c
					c.Build.Dialect = arch.Portable
					portable, err := graphgen.Lower(c, graphgen.Cached)
					if err != nil {
						t.Fatal(err)
					}
					inner := graph{portable, t, int64(at.rows), int64(at.past)}.counts(nHead)
					want["scores"], want["attention_flops"] = inner["scores"], inner["attention_flops"]
				}
				for j, got := range latmodel.Count(at.target, c, at.rows, at.past) {
					f := latmodel.Features(at.target)[j]
					if !near(got, want[f.Name]) {
						t.Errorf("spec %d %s, %d rows and %d past: %s is %g %s in closed form and %g in the graph",
							i, c.Name(), at.rows, at.past, f.Name, got, f.Unit, want[f.Name])
					}
				}
			}
			bytes := latmodel.Count(latmodel.TL, c, 1, 72)
			if sum := 1e6 * (bytes[2] + bytes[3]); fmt.Sprintf("%.0f", sum) != fmt.Sprint(c.Counts().BytesPerToken) {
				t.Errorf("spec %d %s: layers and head read %.0f bytes, Counts has %d", i, c.Name(), sum, c.Counts().BytesPerToken)
			}
		}
	}
}
