package decode

import (
	"fmt"

	"lathe/runtime/ort"
)

// graph is a decoder as its names and shapes show it.
type graph struct {
	name           string
	ids, mask, pos ort.ValueInfo // Name "" where the graph lacks it
	keep           ort.ValueInfo
	vocab          int      // -1 until asked
	logits         ort.Type // Float32 or Float16
	caches         []cache
	states         []state // in the order of the graph's inputs
	gqa            bool    // it has GroupQueryAttention
	rows           bool    // GroupQueryAttention appends to each row at its own length
	notInPlace     string  // why past and present cannot be one buffer; "" where they can
	fixedBatch     int64   // -1 where it is free
}

const (
	nameIDs    = "input_ids"
	nameMask   = "attention_mask"
	namePos    = "position_ids"
	nameKeep   = "num_logits_to_keep"
	nameLogits = "logits"
)

// discover finds the parts of a decoder in a session.
func discover(s *ort.Declared) (*graph, error) {
	g := &graph{name: s.Name(), fixedBatch: -1}
	bad := func(format string, args ...any) (*graph, error) {
		return nil, fmt.Errorf("decode: %s: "+format, append([]any{s.Name()}, args...)...)
	}
	for _, in := range s.Inputs() {
		c, isCache := cacheNamed(in.Name)
		switch {
		case in.Name == nameIDs:
			g.ids = in
		case in.Name == nameMask:
			g.mask = in
		case in.Name == namePos:
			g.pos = in
		case in.Name == nameKeep:
			g.keep = in
		case isCache:
			if err := c.take(in); err != nil {
				return bad("%w", err)
			}
			g.caches = append(g.caches, c)
			if err := g.batch(in, in.Shape[c.batchAxis()]); err != nil {
				return nil, err
			}
		case stateName.MatchString(in.Name):
			if err := g.takeState(s, in); err != nil {
				return bad("%w", err)
			}
		case !in.Optional:
			return bad("input %v is none that a decoder has: %s, %s, %s, %s, past_key_values.{i}.key and .value, or past_{i}, past_state.{i}.{name}", in, nameIDs, nameMask, namePos, nameKeep)
		}
	}
	if g.ids.Name == "" {
		return bad("there is no input %s", nameIDs)
	}
	for _, in := range []ort.ValueInfo{g.ids, g.mask, g.pos} {
		if in.Name == "" {
			continue
		}
		if in.Type != ort.Int64 && in.Type != ort.Int32 || len(in.Shape) != 2 {
			return bad("input %v needs whole numbers of shape [batch, length]", in)
		}
		if in.Shape[1] >= 0 {
			return bad("input %v has a fixed length; one that is free is needed", in)
		}
		if err := g.batch(in, in.Shape[0]); err != nil {
			return nil, err
		}
	}
	if k := g.keep; k.Name != "" && (k.Type != ort.Int64 || len(k.Shape) > 1 || len(k.Shape) == 1 && k.Shape[0] != 1 && k.Shape[0] != -1) {
		return bad("input %v needs one int64", k)
	}
	if len(g.caches) == 0 && len(g.states) == 0 {
		return bad("there are no caches past_key_values.{i}.key and .value, or past_{i}, and no states past_state.{i}.{name}; export the model with past")
	}
	logits, ok := s.Output(nameLogits)
	if !ok {
		return bad("there is no output %s", nameLogits)
	}
	if logits.Type != ort.Float32 && logits.Type != ort.Float16 || len(logits.Shape) != 3 {
		return bad("output %v needs float32 or float16 of shape [batch, length, vocabulary]", logits)
	}
	g.vocab, g.logits = int(logits.Shape[2]), logits.Type
	if err := g.pair(s); err != nil {
		return bad("%w", err)
	}
	return g, nil
}

// batch notes a fixed number of rows.
func (g *graph) batch(in ort.ValueInfo, d int64) error {
	if d >= 0 {
		if g.fixedBatch >= 0 && g.fixedBatch != d {
			return fmt.Errorf("decode: %s: input %v has %d rows, another has %d", g.name, in, d, g.fixedBatch)
		}
		g.fixedBatch = d
	}
	return nil
}

// choose checks the options against the graph and replaces Auto.
func (g *graph) choose(o *Options) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("decode: %s: %s", g.name, fmt.Sprintf(format, args...))
	}
	if o.Batch < 1 {
		return bad("a batch of %d rows, want at least 1", o.Batch)
	}
	if g.fixedBatch >= 0 && int64(o.Batch) != g.fixedBatch {
		return bad("a batch of %d rows, the graph is made for %d", o.Batch, g.fixedBatch)
	}
	if o.MaxLen < 1 {
		return bad("a cache of %d tokens, want at least 1", o.MaxLen)
	}
	const mostRows, mostLen = 1 << 16, 1 << 24 // far above any use, far below overflow
	if o.MaxLen > mostLen || o.Batch > mostRows {
		return bad("a batch of %d rows of %d tokens, want at most %d rows of %d", o.Batch, o.MaxLen, mostRows, mostLen)
	}
	if o.Mode < Auto || o.Mode > Copied {
		return bad("there is no mode %d", int(o.Mode))
	}
	if o.Padding < PadAuto || o.Padding > PadRight {
		return bad("there is no padding %d", int(o.Padding))
	}
	if o.Mode == Auto {
		o.Mode = Shared
		if g.notInPlace != "" {
			o.Mode = Copied
		}
	}
	if o.Padding == PadLeft && g.rows {
		return bad("padding on the left needs a graph that sees the cache as columns; this one's %s has no attention bias and takes padding on the right", gqa)
	}
	if o.Padding == PadLeft && len(g.states) > 0 {
		return bad("a recurrent state would go over the padding on the left before it comes to the tokens: this graph takes padding on the right")
	}
	if o.Padding == PadAuto {
		o.Padding = PadLeft
		if g.rows || len(g.states) > 0 {
			o.Padding = PadRight
		}
	}
	return nil
}

// askVocab runs one token, for a graph that does not declare its vocabulary.
func (g *graph) askVocab(s *ort.Session, batch int) (vocab int, err error) {
	in := map[string]*ort.Tensor{}
	defer func() {
		for _, t := range in {
			t.Close()
		}
		if err != nil {
			err = fmt.Errorf("decode: %s: asking for the size of the vocabulary: %w", g.name, err)
		}
	}()
	b := int64(batch)
	add := func(name string, typ ort.Type, fill byte, shape ...int64) {
		if name == "" || err != nil {
			return
		}
		n, _ := ort.Shape(shape).Elements()
		buf, e := ort.NewBuffer(typ, n)
		if e != nil {
			err = e
			return
		}
		defer buf.Close()
		for i := range n { // little endian: the first byte of a whole number
			buf.Bytes()[i*typ.Size()] = fill
		}
		in[name], err = buf.View(shape...)
		if err != nil {
			delete(in, name)
		}
	}
	add(g.ids.Name, g.ids.Type, 0, b, 1)
	add(g.mask.Name, g.mask.Type, 1, b, 1)
	add(g.pos.Name, g.pos.Type, 0, b, 1)
	for _, c := range g.caches {
		add(c.past, c.typ, 0, c.shape(b, 0)...)
	}
	for _, st := range g.states {
		add(st.past, st.typ, 0, st.shape(b)...)
	}
	if g.keep.Name != "" && !g.keep.Optional {
		if in[nameKeep], err = keepTensor(g.keep, 1); err != nil {
			delete(in, nameKeep)
		}
	}
	if err != nil {
		return 0, err
	}
	out, err := s.Run(in, nameLogits)
	if err != nil {
		return 0, err
	}
	defer out[nameLogits].Close()
	shape := out[nameLogits].Shape()
	if len(shape) != 3 || shape[0] != b || shape[2] < 1 {
		return 0, fmt.Errorf("logits have the shape %v, want [%d, 1, vocabulary]", []int64(shape), b)
	}
	return int(shape[2]), nil
}
