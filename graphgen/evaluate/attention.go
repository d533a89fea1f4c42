package evaluate

import "math"

// PackedAttention is the domain and name of what is left of com.microsoft's Attention
// when its product is taken out: inputs are queries, keys and values in one [batch,
// sequence, 3 * width], the mask, and the past [2, batch, heads, past, head_dim].
const (
	OwnDomain       = "lathe"
	PackedAttention = "PackedAttention"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"com.microsoft.GroupQueryAttention": groupQueryAttention,
		"com.microsoft.MultiHeadAttention":  multiHeadAttention,
		"com.microsoft.RotaryEmbedding":     rotaryEmbedding,
		OwnDomain + "." + PackedAttention:   packedAttention,
	})
}

// heads are queries, keys or values [batch, heads, rows, head_dim].
type heads struct{ *Tensor }

func (h heads) at(b, head, row int) []float64 {
	n := h.Shape[3]
	i := ((b*h.Shape[1]+head)*h.Shape[2] + row) * n
	return h.Data[i : i+n]
}

// cutHeads is x [batch, sequence, n * head_dim], from a column on, as heads.
func (c *call) cutHeads(x *Tensor, column, n, headDim int) heads {
	if len(x.Shape) != 3 || n < 1 || headDim < 1 || n > most || headDim > most || column > x.Shape[2]-n*headDim {
		c.fail("%v has no %d heads of %d", x.Shape, n, headDim)
		return heads{Zeros(0, 0, 0, 0)}
	}
	out := heads{c.blank(x.Type, x.Shape[0], n, x.Shape[1], headDim)}
	if c.err != nil {
		return heads{Zeros(0, 0, 0, 0)}
	}
	for b := range x.Shape[0] {
		for s := range x.Shape[1] {
			for h := range n {
				copy(out.at(b, h, s), x.Data[(b*x.Shape[1]+s)*x.Shape[2]+column+h*headDim:])
			}
		}
	}
	return out
}

// behind is a cache with new rows behind it; past may be nil.
func (c *call) behind(past *Tensor, x heads) heads {
	if past == nil || c.err != nil {
		return x
	}
	if len(past.Shape) != 4 || past.Shape[0] != x.Shape[0] || past.Shape[1] != x.Shape[1] || past.Shape[3] != x.Shape[3] {
		c.fail("a cache %v before %v", past.Shape, x.Shape)
		return x
	}
	out := heads{c.blank(x.Type, x.Shape[0], x.Shape[1], past.Shape[2]+x.Shape[2], x.Shape[3])}
	if c.err != nil {
		return x
	}
	for b := range x.Shape[0] {
		for h := range x.Shape[1] {
			for r := range past.Shape[2] {
				copy(out.at(b, h, r), heads{past}.at(b, h, r))
			}
			for r := range x.Shape[2] {
				copy(out.at(b, h, past.Shape[2]+r), x.at(b, h, r))
			}
		}
	}
	return out
}

// attend is softmax(scale q k' + bias) v, [batch, sequence, heads * head_dim]; query
// heads share keys and values in order. bias is that of a query row and a key row.
func (c *call) attend(q, k, v heads, scale float64, bias func(b, h, row, col int) float64) *Tensor {
	if c.err != nil || k.Shape[1] == 0 || q.Shape[1]%k.Shape[1] != 0 || q.Shape[3] != k.Shape[3] {
		c.fail("%v queries of %v keys", q.Shape, k.Shape)
		return Zeros(0)
	}
	n, width := q.Shape[1], v.Shape[3]
	out := c.blank(q.Type, q.Shape[0], q.Shape[2], n*width)
	scores := c.blank(q.Type, k.Shape[2])
	if c.err == nil {
		c.err = c.budget.take(min(most+1, q.Shape[0]*n*q.Shape[2]*k.Shape[2]))
	}
	if c.err != nil {
		return out
	}
	group := n / k.Shape[1]
	for b := range q.Shape[0] {
		for h := range n {
			for r := range q.Shape[2] {
				for j := range scores.Data {
					dot := 0.0
					for i, x := range q.at(b, h, r) {
						dot += x * k.at(b, h/group, j)[i]
					}
					scores.Data[j] = dot*scale + bias(b, h, r, j)
				}
				softmaxed(len(scores.Data), func(i int) float64 { return scores.Data[i] }, func(i int, p float64) { scores.Data[i] = p })
				to := out.Data[((b*q.Shape[2]+r)*n+h)*width:][:width]
				for j, p := range scores.Data {
					for i, x := range v.at(b, h/group, j) {
						to[i] += p * x
					}
				}
			}
		}
	}
	return out
}

// rotated turns the pairs of every head by the angles of its rows' positions.
func (c *call) rotated(x heads, cos, sin *Tensor, interleaved bool, position func(b, row int) int) heads {
	if len(cos.Shape) != 2 || len(sin.Shape) != 2 || len(cos.Data) != len(sin.Data) || 2*cos.Shape[1] != x.Shape[3] {
		c.fail("tables %v for heads of %v", cos.Shape, x.Shape)
		return x
	}
	out := heads{c.blank(x.Type, x.Shape...)}
	if c.err != nil {
		return x
	}
	half := cos.Shape[1]
	for b := range x.Shape[0] {
		for r := range x.Shape[2] {
			p := position(b, r)
			if p < 0 || p >= cos.Shape[0] {
				c.fail("position %d in a table of %d", p, cos.Shape[0])
				return x
			}
			for h := range x.Shape[1] {
				from, to := x.at(b, h, r), out.at(b, h, r)
				for j := range half {
					one, two := j, j+half
					if interleaved {
						one, two = 2*j, 2*j+1
					}
					cs, sn := cos.Data[p*half+j], sin.Data[p*half+j]
					to[one], to[two] = from[one]*cs-from[two]*sn, from[two]*cs+from[one]*sn
				}
			}
		}
	}
	return out
}

// groupQueryAttention is run for rows that are all of one length, without padding: what
// it makes of padding depends on the library's version.
func groupQueryAttention(c *call) []*Tensor {
	q := c.arg(0)
	n, kv := int(c.integer("num_heads", 0)), int(c.integer("kv_num_heads", 0))
	if c.integer("local_window_size", -1) != -1 || c.float("softcap", 0) != 0 || c.integer("smooth_softmax", 0) > 0 ||
		c.option(10) != nil || c.option(11) != nil || c.option(12) != nil {
		c.fail("a window, a cap, a bias, sinks or a quantized cache: %w", ErrOperator)
		return nil
	}
	if n < 1 || kv < 1 || n > most || kv > most || len(q.Shape) != 3 {
		c.fail("%d heads, %d of keys, of %v", n, kv, q.Shape)
		return nil
	}
	var qh, kh, vh heads
	if k := c.option(1); k != nil {
		headDim := q.Shape[2] / n
		qh, kh, vh = c.cutHeads(q, 0, n, headDim), c.cutHeads(k, 0, kv, headDim), c.cutHeads(c.arg(2), 0, kv, headDim)
	} else {
		headDim := q.Shape[2] / (n + 2*kv)
		qh, kh, vh = c.cutHeads(q, 0, n, headDim), c.cutHeads(q, n*headDim, kv, headDim), c.cutHeads(q, (n+kv)*headDim, kv, headDim)
	}
	past := 0
	if t := c.option(3); t != nil && len(t.Shape) == 4 {
		past = t.Shape[2]
	}
	for _, last := range c.arg(5).Data {
		if int(last)+1 != past+q.Shape[1] {
			c.fail("rows of %g positions, where there are %d: padding is not evaluated", last+1, past+q.Shape[1])
		}
	}
	if c.scalar(6) != float64(past+q.Shape[1]) {
		c.fail("a total of %g positions, where there are %d", c.scalar(6), past+q.Shape[1])
	}
	if c.integer("do_rotary", 0) != 0 {
		position := func(_, row int) int { return past + row }
		if ids := c.option(9); ids != nil {
			if len(ids.Data) != q.Shape[0]*q.Shape[1] {
				c.fail("positions %v of %v", ids.Shape, q.Shape)
				return nil
			}
			position = func(b, row int) int { return int(ids.Data[b*q.Shape[1]+row]) }
		}
		interleaved := c.integer("rotary_interleaved", 0) != 0
		qh = c.rotated(qh, c.arg(7), c.arg(8), interleaved, position)
		kh = c.rotated(kh, c.arg(7), c.arg(8), interleaved, position)
	}
	kh, vh = c.behind(c.option(3), kh), c.behind(c.option(4), vh)
	y := c.attend(qh, kh, vh, c.scale(qh), causal(past))
	return []*Tensor{y, kh.Tensor, vh.Tensor}
}

// scale is the attribute, or, where it is not there or 0, the inverse root of head_dim.
func (c *call) scale(q heads) float64 {
	if s := c.float("scale", 0); s != 0 {
		return s
	}
	return 1 / math.Sqrt(float64(max(1, q.Shape[3])))
}

// causal lets a row see all up to itself.
func causal(past int) func(b, h, row, col int) float64 {
	return func(_, _, row, col int) float64 {
		if col > past+row {
			return math.Inf(-1)
		}
		return 0
	}
}

// packedAttention has a mask [batch, total], 0 for padding, or none.
func packedAttention(c *call) []*Tensor {
	qkv, mask, past := c.arg(0), c.option(1), c.option(2)
	n := int(c.integer("num_heads", 0))
	if len(qkv.Shape) != 3 || n < 1 || n > most || qkv.Shape[2]%(3*n) != 0 {
		c.fail("%v is not queries, keys and values of %d heads", qkv.Shape, n)
		return nil
	}
	headDim := qkv.Shape[2] / 3 / n
	q, k, v := c.cutHeads(qkv, 0, n, headDim), c.cutHeads(qkv, n*headDim, n, headDim), c.cutHeads(qkv, 2*n*headDim, n, headDim)
	rows := qkv.Shape[1]
	length := 0
	if past != nil {
		if len(past.Shape) != 5 || past.Shape[0] != 2 {
			c.fail("a past %v", past.Shape)
			return nil
		}
		length = past.Shape[3]
		half := len(past.Data) / 2
		k = c.behind(&Tensor{past.Type, past.Shape[1:], past.Data[:half]}, k)
		v = c.behind(&Tensor{past.Type, past.Shape[1:], past.Data[half:]}, v)
	}
	total := length + rows
	if mask != nil && len(mask.Data) != qkv.Shape[0]*total {
		c.fail("a mask %v of %d rows of %d: %w", mask.Shape, qkv.Shape[0], total, ErrOperator)
		return nil
	}
	filler, seen := c.float("mask_filter_value", -10000), causal(length)
	y := c.attend(q, k, v, c.scale(q), func(b, h, row, col int) float64 {
		bias := 0.0
		if c.integer("unidirectional", 0) != 0 {
			bias = seen(b, h, row, col)
		}
		if mask != nil && mask.Data[b*total+col] == 0 {
			bias += filler
		}
		return bias
	})
	if c.err != nil {
		return nil
	}
	present := c.blank(k.Type, 2, k.Shape[0], k.Shape[1], k.Shape[2], k.Shape[3])
	if c.err == nil {
		copy(present.Data[copy(present.Data, k.Data):], v.Data)
	}
	return []*Tensor{y, present}
}

// multiHeadAttention takes queries, keys and values apart, [batch, sequence, width].
func multiHeadAttention(c *call) []*Tensor {
	q, k, v := c.arg(0), c.arg(1), c.arg(2)
	n := int(c.integer("num_heads", 0))
	if c.option(3) != nil || c.option(4) != nil || len(c.in) > 8 && c.option(8) != nil || len(q.Shape) != 3 || n < 1 || n > most {
		c.fail("a bias, a padding mask or packed operands: %w", ErrOperator)
		return nil
	}
	headDim := q.Shape[2] / n
	qh, kh, vh := c.cutHeads(q, 0, n, headDim), c.cutHeads(k, 0, n, headDim), c.cutHeads(v, 0, n, headDim)
	rows := qh.Shape[2]
	kh, vh = c.behind(c.option(6), kh), c.behind(c.option(7), vh)
	total := kh.Shape[2]
	seen := func(_, _, _, _ int) float64 { return 0 }
	if c.integer("unidirectional", 0) != 0 {
		seen = causal(total - rows)
	}
	bias := c.option(5)
	if bias == nil {
		y := c.attend(qh, kh, vh, c.scale(qh), seen)
		return []*Tensor{y, kh.Tensor, vh.Tensor}
	}
	to := []int{qh.Shape[0], n, rows, total}
	if got := c.broadcast(bias.Shape, to); size(got) != size(to) || len(got) != 4 {
		c.fail("a bias %v on scores %v", bias.Shape, to)
		return nil
	}
	at := strides(bias.Shape, to)
	y := c.attend(qh, kh, vh, c.scale(qh), func(b, h, row, col int) float64 {
		return seen(b, h, row, col) + bias.Data[b*at[0]+h*at[1]+row*at[2]+col*at[3]]
	})
	return []*Tensor{y, kh.Tensor, vh.Tensor}
}

// rotaryEmbedding is of x [batch, sequence, width] or [batch, heads, sequence, head_dim].
func rotaryEmbedding(c *call) []*Tensor {
	x, ids, cos, sin := c.arg(0), c.arg(1), c.arg(2), c.arg(3)
	if c.integer("rotary_embedding_dim", 0) != 0 || c.integer("is_packed_batching", 0) != 0 || len(cos.Shape) != 2 {
		c.fail("parts of heads: %w", ErrOperator)
		return nil
	}
	headDim := 2 * cos.Shape[1]
	var h heads
	switch {
	case len(x.Shape) == 4:
		h = heads{x}
	case len(x.Shape) == 3 && headDim > 0:
		h = c.cutHeads(x, 0, x.Shape[2]/headDim, headDim)
	default:
		c.fail("%v", x.Shape)
		return nil
	}
	if c.err != nil {
		return nil
	}
	rows := h.Shape[2]
	position := func(b, row int) int { return int(ids.Data[b*rows+row]) }
	if len(ids.Data) == 1 {
		position = func(_, row int) int { return int(ids.Data[0]) + row }
	} else if len(ids.Data) != h.Shape[0]*rows {
		c.fail("positions %v of %v", ids.Shape, x.Shape)
		return nil
	}
	out := c.rotated(h, cos, sin, c.integer("interleaved", 0) != 0, position)
	if len(x.Shape) == 4 {
		return one(out.Tensor)
	}
	back := c.permuted(out.Tensor, []int{0, 2, 1, 3})
	return one(c.as(back, x.Shape))
}
