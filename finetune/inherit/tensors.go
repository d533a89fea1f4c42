package inherit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"lathe/graphgen"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
)

// Source provides the candidate's weights from the baseline's.
func (c *Choice) Source(of *weights.Given) (*weights.Given, error) {
	tensors, err := c.Tensors(of.Tensors)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("inherit: %w", err)
	}
	sum := sha256.Sum256(append([]byte("inherited from "+of.Sum+": "), text...))
	return &weights.Given{Tensors: tensors, Sum: hex.EncodeToString(sum[:])}, nil
}

// Tensors are the candidate's weights, views of the baseline's; both by the names and in
// the layouts in which they are published.
func (c *Choice) Tensors(of map[string]weights.Matrix) (map[string]weights.Matrix, error) {
	b := ir.NewBuilder(c.candidate.Name())
	f, err := graphgen.Train(b, c.candidate, graphgen.Training{Batch: 1, Sequence: 1})
	if err != nil {
		return nil, fmt.Errorf("inherit: %w", err)
	}
	out := map[string]weights.Matrix{}
	for _, p := range b.Params() {
		for _, part := range p.Published() {
			from, rows, cols := c.lines(part.Name)
			if part.Name == "lm_head.weight" && of[from] == nil {
				from = f.Embedding.Name // the baseline's are one
			}
			m := of[from]
			if m == nil {
				return nil, fmt.Errorf("inherit: %s: the baseline has no tensor %s", part.Name, from)
			}
			if out[part.Name], err = see(m, rows, cols); err != nil {
				return nil, fmt.Errorf("inherit: the baseline's tensor %s: %w", from, err)
			}
		}
	}
	return out, nil
}

// ofLayer is the name of a layer's tensor.
var ofLayer = regexp.MustCompile(`^(transformer\.h|model\.layers|rnn)\.(\d+)\.(.+)$`)

// lines are the rows and columns that stay of the baseline's tensor that one of the
// candidate comes from; nil: all. A vector has columns.
func (c *Choice) lines(name string) (from string, rows, cols []line) {
	dims := keep(c.Dimensions)
	if parts := ofLayer.FindStringSubmatch(name); parts != nil {
		i, _ := strconv.Atoi(parts[2])
		from = fmt.Sprintf("%s.%d.%s", parts[1], c.Layers[i].Layer, parts[3])
		rows, cols = c.layerLines(i, parts[3], dims)
		return from, rows, cols
	}
	switch name {
	case "transformer.wpe.weight":
		return name, keep(first(c.candidate.Positions)), dims
	case "proj.weight": // of a stack
		return name, keep(c.Layers[len(c.Layers)-1].Units), dims
	}
	return name, nil, dims // the vocabulary's matrices, and vectors
}

func (c *Choice) layerLines(i int, name string, dims []line) (rows, cols []line) {
	p := c.Layers[i]
	q, k, v, o := c.attention(i)
	neurons, units := keep(p.Neurons), keep(p.Units)
	switch name {
	case "attn.c_attn.weight", "attn.c_attn.bias":
		old := c.baseline.Layers[p.Layer].NHead * c.baseline.HeadDimOf(p.Layer)
		cols = append(append(q, shifted(k, old)...), shifted(v, 2*old)...)
		if name == "attn.c_attn.weight" {
			rows = dims
		}
		return rows, cols
	case "attn.c_proj.weight":
		return o, dims
	case "mlp.c_fc.weight":
		return dims, neurons
	case "mlp.c_fc.bias":
		return nil, neurons
	case "mlp.c_proj.weight":
		return neurons, dims
	case "proj.weight":
		return units, dims

	case "self_attn.q_proj.weight":
		return q, dims
	case "self_attn.k_proj.weight":
		return k, dims
	case "self_attn.v_proj.weight":
		return v, dims
	case "self_attn.q_proj.bias":
		return nil, q
	case "self_attn.k_proj.bias":
		return nil, k
	case "self_attn.v_proj.bias":
		return nil, v
	case "self_attn.o_proj.weight":
		return dims, o
	case "mlp.gate_proj.weight", "mlp.up_proj.weight":
		return neurons, dims
	case "mlp.down_proj.weight":
		return dims, neurons

	case "W", "rnn.W":
		if name == "W" && i > 0 { // takes the layer before
			dims = keep(c.Layers[i-1].Units)
		}
		return c.gates(i, 1), dims
	case "R", "rnn.R":
		return c.gates(i, 1), units
	case "B", "rnn.B":
		return nil, c.gates(i, 2)
	}
	return nil, dims // norms and the biases of what is added to the stream
}

// attention is the lines of queries, keys, values and of what takes the heads' results.
//
// Scores are divided by the root of head_dim: queries of smaller heads are scaled so that
// what stays of the scores is what it was.
func (c *Choice) attention(i int) (q, k, v, o []line) {
	p := c.Layers[i]
	if len(p.Groups) == 0 {
		return nil, nil, nil, nil
	}
	size, n := c.baseline.HeadDimOf(p.Layer), c.candidate.HeadDimOf(i)
	scale := float32(math.Sqrt(float64(n) / float64(size)))
	perGroup := len(p.Heads) / len(p.Groups)
	for at, h := range p.Heads {
		g := at / perGroup
		for _, d := range p.Keys[g] {
			q = append(q, line{[]int{h*size + d}, scale})
		}
		for _, d := range p.Values[g] {
			o = append(o, line{[]int{h*size + d}, 1})
		}
	}
	mean := func(group []int, d int) line {
		l := line{scale: 1 / float32(len(group))}
		for _, g := range group {
			l.of = append(l.of, g*size+d)
		}
		return l
	}
	for g, group := range p.Groups {
		for _, d := range p.Keys[g] {
			k = append(k, mean(group, d))
		}
		for _, d := range p.Values[g] {
			v = append(v, mean(group, d))
		}
	}
	return q, k, v, o
}

// gates are the rows of all gates of a recurrent layer, times over.
func (c *Choice) gates(i, times int) (out []line) {
	p := c.Layers[i]
	hidden := c.baseline.HiddenOf(p.Layer)
	for g := range times * c.baseline.TypeOf(p.Layer).Gates() {
		out = append(out, shifted(keep(p.Units), g*hidden)...)
	}
	return out
}
