package recover

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/weights"
)

// layer is one of a decoder's.
type layer struct {
	attention *attention
	mlp       *mlp
}

// theirs recognises a decoder by what its graph computes.
func (m *Model) theirs() error {
	g, err := newGraph(m.file)
	if err != nil {
		return err
	}
	w, err := g.walk()
	if err != nil {
		return err
	}
	last, err := w.norm(w.head.x, w.final)
	if err != nil {
		return err
	}
	if len(w.branches) == 0 || len(w.branches)%2 != 0 {
		return notDecoder("%d additions to the residual stream; a layer has two", len(w.branches))
	}
	layers := make([]layer, len(w.branches)/2)
	slices.Reverse(w.branches)
	for i := range layers {
		one, two := w.branches[2*i], w.branches[2*i+1]
		if !g.cone(one.product.x).attends() || g.cone(two.product.x).attends() {
			return notDecoder("layer %d is not attention and an MLP", i)
		}
		if layers[i].attention, err = w.attention(one); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		if layers[i].mlp, err = w.mlp(two); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	if err := m.assemble(w, layers, last); err != nil {
		return err
	}
	m.Kind = g.kind()
	m.Notes = append(m.Notes, w.notes...)
	m.leftovers(g)
	return m.lowers()
}

// kind is who wrote a file, by what it says.
func (g *graph) kind() string {
	producer := strings.ToLower(g.file.Model.ProducerName)
	switch {
	case strings.Contains(producer, "pytorch"):
		return Optimum
	case strings.Contains(producer, "onnxruntime"):
		return ONNXRuntime
	}
	return Other
}

// assemble makes the Spec, and gives the weights their names.
func (m *Model) assemble(w *walker, layers []layer, last norm) error {
	rotary, err := family(w, layers, last)
	if err != nil {
		return err
	}
	first := layers[0].attention
	s := arch.Spec{Family: arch.GPT2, Vocab: int(w.head.n), DModel: int(w.dModel), NormEps: last.eps}
	if rotary {
		s.Family, s.QKVBias = arch.LLaMA, first.k.bias != ""
	}
	if rows := w.words.rows; rows != w.head.n {
		return notDecoder("the embedding %q has %d rows, and the LM head gives %d", w.words.table.name, rows, w.head.n)
	}
	for _, l := range layers {
		if a := l.attention; a.heads*a.headDim != s.DModel {
			s.HeadDim = a.headDim
		}
		s.Layers = append(s.Layers, arch.Layer{Type: arch.Transformer, NHead: l.attention.heads, NKVHead: l.attention.kvHeads, DInner: int(l.mlp.down.k)})
	}
	for i, l := range layers {
		if s.HeadDim != 0 && s.HeadDim != l.attention.headDim {
			return notDecoder("layer %d has heads of %d, and another heads of %d, where d_model is %d: a Spec has one head_dim, or d_model over n_head", i, l.attention.headDim, s.HeadDim, s.DModel)
		}
	}
	if !rotary {
		s.Positions = int(w.places.rows)
	}
	if s.Untied, err = m.untied(w); err != nil {
		return err
	}
	if rotary {
		if err := m.rope(&s, layers, w.g.half); err != nil {
			return err
		}
	}
	m.Spec = s.Normalized()
	if err := m.Spec.Validate(); err != nil {
		return notDecoder("it would be a model that no graph is made for: %w", err)
	}
	p := &publisher{m: m, w: w}
	if rotary {
		p.llama(layers, last)
	} else {
		p.gpt2(layers, last)
	}
	return p.finish()
}

// family says of which one all parts are; rotary: LLaMA's.
func family(w *walker, layers []layer, last norm) (rotary bool, err error) {
	rotary = last.rms
	for i, l := range layers {
		a := l.attention
		for _, part := range []struct {
			what        string
			is, ofLLaMA bool
		}{
			{"an RMSNorm before attention", a.norm.rms, true},
			{"an RMSNorm before the MLP", l.mlp.norm.rms, true},
			{"rotary positions", a.freqs != nil, true},
			{"a gated MLP", l.mlp.gate != nil, true},
			{"an embedding of positions", w.places != nil, false},
			{"a bias in the output of attention", a.outBias != "", false},
			{"a bias in the MLP", l.mlp.upBias != "" || l.mlp.gateBias != "" || l.mlp.downBias != "", false},
			{"fewer heads of keys than of queries", a.kvHeads != a.heads, true},
		} {
			optional := strings.HasPrefix(part.what, "a bias") && !rotary || strings.HasPrefix(part.what, "fewer") && rotary
			if !optional && part.is != (part.ofLLaMA == rotary) {
				return false, notDecoder("layer %d: of a model whose last norm is %s, %s", i,
					map[bool]string{true: "RMSNorm, as LLaMA's is", false: "LayerNorm, as GPT-2's is"}[rotary],
					map[bool]string{true: "it has " + part.what, false: "it lacks " + part.what}[part.is])
			}
		}
		biased := layers[0].attention.k.bias != ""
		if rotary && (a.q.bias != "" != biased || a.k.bias != "" != biased || a.v.bias != "" != biased) {
			return false, notDecoder("layer %d: some of queries, keys and values have biases, and others have none", i)
		}
		for _, eps := range []float64{a.norm.eps, l.mlp.norm.eps} {
			if eps != last.eps {
				return false, notDecoder("layer %d: epsilon %g in a norm, and %g in the last one", i, eps, last.eps)
			}
		}
	}
	if rotary && last.bias != "" {
		return false, notDecoder("the last norm has a bias")
	}
	return rotary, nil
}

// untied reports whether the LM head is another matrix than the embedding.
func (m *Model) untied(w *walker) (bool, error) {
	if w.head.weight.name == w.words.table.name && w.head.weight.outIn {
		return false, nil
	}
	table, exact := w.words.table.stored, w.head.weight.bits == 0 && w.words.table.bits == 0
	head := w.head.weight.perOutput()
	if rows, cols := table.Size(); rows != w.head.n || cols != w.head.k {
		return true, nil
	}
	const band = 512
	buf := [2][]float32{make([]float32, band*w.head.k), make([]float32, band*w.head.k)}
	var apart, square float64
	for r := int64(0); r < w.head.n; r += band {
		end := min(r+band, w.head.n)
		n := (end - r) * w.head.k
		for i, from := range []weights.Matrix{table, head} {
			if err := from.Read(buf[i][:n], r, end, 0, w.head.k); err != nil {
				return false, err
			}
		}
		if exact {
			if !slices.Equal(buf[0][:n], buf[1][:n]) {
				return true, nil
			}
			continue
		}
		for i, v := range buf[0][:n] {
			d := float64(v) - float64(buf[1][i])
			apart, square = apart+d*d, square+float64(v)*float64(v)
		}
	}
	if exact {
		return false, nil
	}
	// Quantization to 4 bits leaves an error of about a tenth; two matrices that were
	// trained apart have one of more than 1.
	if apart > 0.25*0.25*square {
		return true, nil
	}
	w.note("the LM head is the embedding, quantized; the embedding is taken for both")
	return false, nil
}

// leftovers notes large constants that nothing was found for.
func (m *Model) leftovers(g *graph) {
	var left []string
	for name, t := range g.consts {
		if _, float := floatTypes[t.DataType]; float && len(t.Dims) > 0 && !g.used[name] && !g.used[t.Name] {
			left = append(left, fmt.Sprintf("%s %v", name, t.Dims))
		}
	}
	if slices.Sort(left); len(left) > 0 {
		m.note("%d float tensors take no part in the logits: %s", len(left), strings.Join(few(left), ", "))
	}
}

// lowers holds the weights against what our graph of the Spec takes.
func (m *Model) lowers() error {
	for _, want := range hf.Tensors(m.Spec) {
		got := m.Tensors[want.Name]
		if got == nil {
			return notDecoder("no weight %s was found", want.Name)
		}
		rows, cols := got.Size()
		if cols != want.Shape[len(want.Shape)-1] || len(want.Shape) == 2 && rows != want.Shape[0] || len(want.Shape) == 1 && rows != 1 {
			return notDecoder("weight %s is [%d, %d], and a %s takes %v", want.Name, rows, cols, m.Spec.Name(), want.Shape)
		}
	}
	if _, err := graphgen.Lower(arch.Candidate{Spec: m.Spec, Build: arch.Build{Dialect: arch.Portable}}, graphgen.Plain); err != nil {
		return notDecoder("%w", err)
	}
	return nil
}

// near reports whether two numbers are the same but for rounding.
func near(a, b, within float64) bool {
	return math.Abs(a-b) <= within*math.Max(math.Abs(a), math.Abs(b))
}
