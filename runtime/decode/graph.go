package decode

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"lathe/runtime/ort"
)

// graph is a decoder as its names and shapes show it.
type graph struct {
	name           string
	ids, mask, pos ort.ValueInfo // Name "" where the graph lacks it
	keep           ort.ValueInfo
	vocab          int // -1 until asked
	caches         []cache
	gqa            bool   // it has GroupQueryAttention
	rows           bool   // GroupQueryAttention appends to each row at its own length
	notInPlace     string // why past and present cannot be one buffer; "" where they can
	fixedBatch     int64  // -1 where it is free
}

// cache is the keys or the values of a layer.
type cache struct {
	Layer
	key           bool
	past, present string
	typ           ort.Type
}

const (
	nameIDs    = "input_ids"
	nameMask   = "attention_mask"
	namePos    = "position_ids"
	nameKeep   = "num_logits_to_keep"
	nameLogits = "logits"
)

var pastName = regexp.MustCompile(`^past_key_values\.(0|[1-9][0-9]{0,5})\.(key|value)$`)

// combinedName is a cache of keys and values in one tensor, as older exports
// of GPT-2 have it.
var combinedName = regexp.MustCompile(`^past_[0-9]+$`)

// discover finds the parts of a decoder in a session.
func discover(s *ort.Session) (*graph, error) {
	g := &graph{name: s.Name(), fixedBatch: -1}
	bad := func(format string, args ...any) (*graph, error) {
		return nil, fmt.Errorf("decode: %s: %s", s.Name(), fmt.Sprintf(format, args...))
	}
	for _, in := range s.Inputs() {
		m := pastName.FindStringSubmatch(in.Name)
		switch {
		case in.Name == nameIDs:
			g.ids = in
		case in.Name == nameMask:
			g.mask = in
		case in.Name == namePos:
			g.pos = in
		case in.Name == nameKeep:
			g.keep = in
		case m != nil:
			c := cache{key: m[2] == "key", past: in.Name, typ: in.Type}
			c.Index, _ = strconv.Atoi(m[1])
			if c.typ.Size() == 0 || len(in.Shape) != 4 || in.Shape[1] < 1 || in.Shape[3] < 1 {
				return bad("cache %v needs the shape [batch, heads, past, head_dim], heads and head_dim in numbers", in)
			}
			if in.Shape[2] >= 0 {
				return bad("cache %v has a fixed length; one that grows is needed", in)
			}
			c.Heads, c.HeadDim = int(in.Shape[1]), int(in.Shape[3])
			g.caches = append(g.caches, c)
			if err := g.batch(in); err != nil {
				return nil, err
			}
		case strings.HasPrefix(in.Name, "past_state."):
			return bad("input %v is a recurrent state, which only a plain run can feed so far", in)
		case combinedName.MatchString(in.Name):
			return bad("input %v holds keys and values in one tensor; export the model with past_key_values.{i}.key and .value", in)
		case !in.Optional:
			return bad("input %v is none that a decoder has: %s, %s, %s, %s, past_key_values.{i}.key and .value", in, nameIDs, nameMask, namePos, nameKeep)
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
		if err := g.batch(in); err != nil {
			return nil, err
		}
	}
	if k := g.keep; k.Name != "" && (k.Type != ort.Int64 || len(k.Shape) > 1 || len(k.Shape) == 1 && k.Shape[0] != 1 && k.Shape[0] != -1) {
		return bad("input %v needs one int64", k)
	}
	if len(g.caches) == 0 {
		return bad("there are no caches past_key_values.{i}.key and .value; export the model with past")
	}
	logits, ok := s.Output(nameLogits)
	if !ok {
		return bad("there is no output %s", nameLogits)
	}
	if logits.Type != ort.Float32 || len(logits.Shape) != 3 {
		return bad("output %v needs float32 of shape [batch, length, vocabulary]", logits)
	}
	g.vocab = int(logits.Shape[2])
	sort.Slice(g.caches, func(i, j int) bool {
		a, b := g.caches[i], g.caches[j]
		return a.Index < b.Index || a.Index == b.Index && a.key && !b.key
	})
	for i := range g.caches {
		c := &g.caches[i]
		if c.key != (i%2 == 0) || !c.key && g.caches[i-1].Index != c.Index || c.key && i == len(g.caches)-1 {
			return bad("layer %d has keys without values, or values without keys", c.Index)
		}
		part := strings.TrimPrefix(c.past, "past_key_values")
		out, ok := s.Output("present" + part)
		if !ok {
			if out, ok = s.Output("present_key_values" + part); !ok {
				return bad("input %s has no output present%s", c.past, part)
			}
		}
		c.present = out.Name
		if out.Type != c.typ || len(out.Shape) != 4 && out.Shape != nil {
			return bad("output %v does not fit the input %s", out, c.past)
		}
		g.look(s, *c)
	}
	return g, nil
}

// batch notes a fixed number of rows.
func (g *graph) batch(in ort.ValueInfo) error {
	if d := in.Shape[0]; d >= 0 {
		if g.fixedBatch >= 0 && g.fixedBatch != d {
			return fmt.Errorf("decode: %s: input %v has %d rows, another has %d", g.name, in, d, g.fixedBatch)
		}
		g.fixedBatch = d
	}
	return nil
}

// GroupQueryAttention's inputs (contrib_ops/cpu/bert of ONNX Runtime).
const (
	gqa         = "GroupQueryAttention"
	gqaDomain   = "com.microsoft"
	gqaPastKey  = 3
	gqaPastVal  = 4
	gqaAttnBias = 10
)

// look finds out from the model's nodes how the graph uses a cache.
func (g *graph) look(s *ort.Session, c cache) {
	uses := s.InputUses(c.past)
	why := ""
	for _, u := range uses {
		if u.Op == gqa && u.Domain == gqaDomain {
			g.gqa = true
			if len(u.Inputs) <= gqaAttnBias || u.Inputs[gqaAttnBias] == "" {
				g.rows = true
			}
		} else {
			why = fmt.Sprintf("%s is read by the operator %s, which does not write in place", c.past, u.Op)
		}
	}
	want := gqaPastKey
	if !c.key {
		want = gqaPastVal
	}
	src, ok := s.OutputSource(c.present)
	switch {
	case why != "":
	case len(uses) != 1:
		why = fmt.Sprintf("%s is read by %d nodes", c.past, len(uses))
	case uses[0].Slot != want:
		why = fmt.Sprintf("%s is not the past of its %s", c.past, gqa)
	case !ok || src.Op != gqa || src.Slot != want-gqaPastKey+1 || len(src.Inputs) <= want || src.Inputs[want] != c.past:
		why = fmt.Sprintf("%s is not written by the %s that reads %s", c.present, gqa, c.past)
	}
	if g.notInPlace == "" {
		g.notInPlace = why
	}
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
	if o.Padding == PadAuto {
		o.Padding = PadLeft
		if g.rows {
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
		add(c.past, c.typ, 0, b, int64(c.Heads), 0, int64(c.HeadDim))
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
