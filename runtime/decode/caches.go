package decode

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"

	"lathe/runtime/ort"
)

// cache is the keys or the values of a layer, [batch, heads, length, head_dim], or
// both, [2, batch, heads, length, head_dim], as the GPT-2 of ONNX Runtime's own
// exporter has them.
type cache struct {
	Layer
	key           bool // keys alone
	combined      bool // keys, then values
	past, present string
	typ           ort.Type
}

var (
	pastName     = regexp.MustCompile(`^past_key_values\.(0|[1-9][0-9]{0,5})\.(key|value)$`)
	combinedName = regexp.MustCompile(`^past_(0|[1-9][0-9]{0,5})$`)
)

// cacheNamed is the cache that an input's name says it is.
func cacheNamed(name string) (c cache, ok bool) {
	m := pastName.FindStringSubmatch(name)
	if m == nil {
		if m = combinedName.FindStringSubmatch(name); m == nil {
			return c, false
		}
		c.combined = true
	} else {
		c.key = m[2] == "key"
	}
	c.past = name
	c.Index, _ = strconv.Atoi(m[1])
	return c, true
}

// take reads a cache's sizes from its input.
func (c *cache) take(in ort.ValueInfo) error {
	want, shape := "[batch, heads, past, head_dim]", in.Shape
	if c.combined {
		want = "[2, batch, heads, past, head_dim]"
		if len(shape) != 5 || shape[0] != 2 {
			return fmt.Errorf("cache %v needs the shape %s, heads and head_dim in numbers", in, want)
		}
		shape = shape[1:]
	}
	if in.Type.Size() == 0 || len(shape) != 4 || shape[1] < 1 || shape[3] < 1 {
		return fmt.Errorf("cache %v needs the shape %s, heads and head_dim in numbers", in, want)
	}
	if shape[2] >= 0 {
		return fmt.Errorf("cache %v has a fixed length; one that grows is needed", in)
	}
	c.typ, c.Heads, c.HeadDim = in.Type, int(shape[1]), int(shape[3])
	return nil
}

// parts is how many of keys and values a cache holds.
func (c *cache) parts() int {
	if c.combined {
		return 2
	}
	return 1
}

// batchAxis is where its shape has the batch.
func (c *cache) batchAxis() int { return c.parts() - 1 }

// shape is a cache's with so many rows and columns.
func (c *cache) shape(batch, length int64) []int64 {
	s := []int64{batch, int64(c.Heads), length, int64(c.HeadDim)}
	if c.combined {
		return append([]int64{2}, s...)
	}
	return s
}

// presentNames are what the output that goes with a cache may be called.
func (c *cache) presentNames() []string {
	if c.combined {
		return []string{fmt.Sprintf("present_%d", c.Index)}
	}
	part := c.past[len("past_key_values"):]
	return []string{"present" + part, "present_key_values" + part}
}

// layers are those that have a cache.
func (g *graph) layers() (list []Layer) {
	for _, c := range g.caches {
		if c.key || c.combined {
			list = append(list, c.Layer)
		}
	}
	return list
}

// pair orders the caches by layer, keys before values, finds their outputs, and how
// the graph uses them.
func (g *graph) pair(s *ort.Declared) error {
	sort.Slice(g.caches, func(i, j int) bool {
		a, b := g.caches[i], g.caches[j]
		return a.Index < b.Index || a.Index == b.Index && a.key && !b.key
	})
	for _, c := range g.caches {
		if c.combined != g.caches[0].combined {
			return errors.New("there are caches past_{i} beside past_key_values.{i}.key and .value: want one kind for all layers")
		}
	}
	for i := range g.caches {
		c := &g.caches[i]
		if !c.combined && (c.key != (i%2 == 0) || !c.key && g.caches[i-1].Index != c.Index || c.key && i == len(g.caches)-1) {
			return fmt.Errorf("layer %d has keys without values, or values without keys", c.Index)
		}
		var out ort.ValueInfo
		found := false
		for _, name := range c.presentNames() {
			if out, found = s.Output(name); found {
				break
			}
		}
		if !found {
			return fmt.Errorf("input %s has no output %s", c.past, c.presentNames()[0])
		}
		c.present = out.Name
		if out.Type != c.typ || out.Shape != nil && len(out.Shape) != 3+c.parts() {
			return fmt.Errorf("output %v does not fit the input %s", out, c.past)
		}
		g.look(s, *c)
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
func (g *graph) look(s *ort.Declared, c cache) {
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
	case c.combined:
		why = fmt.Sprintf("%s holds keys and values, which no operator writes in place", c.past)
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
