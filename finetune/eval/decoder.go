package eval

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// Defaults of DecoderOptions.
const (
	DefaultBatch  = 8
	DefaultMemory = 256 << 20
)

// batchTokens is how many tokens a run of several windows has at most, padding among
// them: with so many the machine is busy, and more would only take memory.
const batchTokens = 2048

// DecoderOptions say how a Decoder runs its graph.
type DecoderOptions struct {
	// Context is the most tokens of a window; needed, since it takes the memory. The
	// graph is run over one less: nothing is asked about what follows the last.
	Context int
	Batch   int            // windows at once; 0: DefaultBatch, or what the graph is made for
	Memory  int64          // bytes of logits at once; 0: DefaultMemory
	Threads int            // that read logits; 0: 1
	Decode  decode.Options // its mode, padding, NoProbe and Vocab count
}

// Decoder is the Scorer of a decoder that runtime/decode runs: a prefill over each
// window, in which the logits of the scored tokens alone are computed where the graph
// has num_logits_to_keep. Short windows are run together, padded as the graph takes it.
// A long one, whose logits would take more than Options.Memory, is run in parts, each
// with those before in the cache; that changes no result beyond rounding.
//
// Note: where activations are quantized dynamically, over all tokens of a run at once,
// the windows beside one and the parts that it is run in do change what comes of it; a
// batch of 1 leaves the neighbours out.
type Decoder struct {
	o     DecoderOptions
	info  decode.Info
	few   *decode.Model // o.Batch windows of up to length tokens, nil for a batch of 1
	alone *decode.Model // one of any; nil where the graph is made for more
	// length is the longest prompt of several windows.
	length int
}

// NewDecoder makes a scorer of a session, which stays the caller's. All memory but that
// of logits is taken here.
func NewDecoder(s *ort.Session, o DecoderOptions) (*Decoder, error) {
	if o.Context < 2 || o.Batch < 0 || o.Memory < 0 {
		return nil, fmt.Errorf("eval: a decoder with a context of %d tokens, batches of %d, %d bytes: want 2 or more tokens and no negative numbers", o.Context, o.Batch, o.Memory)
	}
	info, err := decode.Describe(&s.Declared)
	if err != nil {
		return nil, err
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
		if info.FixedBatch {
			o.Batch = info.Batch
		}
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	o.Threads = max(1, o.Threads)
	d := &Decoder{o: o}
	do := o.Decode
	do.AllLogits = false
	if !info.FixedBatch || info.Batch == 1 {
		do.Batch, do.MaxLen = 1, o.Context-1
		if d.alone, err = decode.New(s, do); err != nil {
			return nil, err
		}
		d.info = d.alone.Info()
		do.Vocab = d.info.Vocab // is not asked for again
	}
	if o.Batch > 1 || d.alone == nil {
		d.length = min(o.Context-1, max(1, batchTokens/o.Batch))
		if d.alone == nil {
			d.length = o.Context - 1 // there is no other way
		}
		do.Batch, do.MaxLen = o.Batch, d.length
		if d.few, err = decode.New(s, do); err != nil {
			d.Close()
			return nil, err
		}
		d.info = d.few.Info()
	}
	return d, nil
}

// Close frees the decoder's memory, and leaves the session open.
func (d *Decoder) Close() {
	for _, m := range []*decode.Model{d.few, d.alone} {
		if m != nil {
			m.Close()
		}
	}
	d.few, d.alone = nil, nil
}

// Limits are the decoder's.
func (d *Decoder) Limits() Limits {
	return Limits{Batch: d.o.Batch, Vocab: d.info.Vocab, Context: d.o.Context}
}

// Score runs windows, together where they are short.
func (d *Decoder) Score(ctx context.Context, windows []Window) ([]Score, error) {
	if len(windows) < 1 || len(windows) > d.o.Batch {
		return nil, fmt.Errorf("eval: %d windows, the decoder takes 1 to %d at once", len(windows), d.o.Batch)
	}
	for _, w := range windows {
		if len(w.IDs) < 2 || len(w.IDs) > d.o.Context || w.Scored < 1 || w.Scored >= len(w.IDs) {
			return nil, fmt.Errorf("eval: a window of %d tokens, %d of them scored: want 2 to %d, at least one of them before those", len(w.IDs), w.Scored, d.o.Context)
		}
	}
	if d.alone == nil || d.few != nil && len(windows) > 1 && d.fits(windows) {
		return d.together(windows)
	}
	out := make([]Score, len(windows))
	for i, w := range windows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = d.single(w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rowBytes is what a token's logits take.
func (d *Decoder) rowBytes() int64 { return 4 * int64(d.info.Vocab) }

// fits reports whether windows may be run together.
func (d *Decoder) fits(windows []Window) bool {
	shortest, longest, scored := len(windows[0].IDs), 0, 0
	for _, w := range windows {
		shortest, longest, scored = min(shortest, len(w.IDs)), max(longest, len(w.IDs)), max(scored, w.Scored)
	}
	rows := longest - 1
	if d.info.KeepsLast {
		rows = min(rows, scored+longest-shortest)
	}
	return longest-1 <= d.length && (d.info.Pads || longest == shortest) && int64(rows*d.o.Batch)*d.rowBytes() <= d.o.Memory
}

// together runs windows as a batch, which the last of them fills up.
func (d *Decoder) together(windows []Window) ([]Score, error) {
	prompts, most := make([][]int64, d.o.Batch), 0
	for row := range prompts {
		w := windows[min(row, len(windows)-1)]
		prompts[row], most = w.IDs[:len(w.IDs)-1], max(most, w.Scored)
	}
	d.few.Reset()
	if err := d.few.PrefillLast(prompts, most); err != nil {
		return nil, err
	}
	out := make([]Score, len(windows))
	for row, w := range windows {
		if err := d.read(&out[row], d.few, row, w.IDs[len(w.IDs)-w.Scored:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// single runs one window, in parts that leave room for their logits.
func (d *Decoder) single(w Window) (s Score, err error) {
	d.alone.Reset()
	prompt, first := w.IDs[:len(w.IDs)-1], len(w.IDs)-w.Scored-1 // first is asked what follows it
	part := int(max(1, d.o.Memory/d.rowBytes()))
	for begin := 0; begin < len(prompt); begin += part {
		end := min(begin+part, len(prompt))
		scored := end - max(begin, first)
		if err := d.alone.PrefillLast([][]int64{prompt[begin:end]}, max(1, scored)); err != nil {
			return s, err
		}
		if scored > 0 {
			if err := d.read(&s, d.alone, 0, w.IDs[end-scored+1:end+1]); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// read adds to s what the last run says of tokens, each of which follows one of the
// row's last.
func (d *Decoder) read(s *Score, m *decode.Model, row int, tokens []int64) error {
	if m.Back(row, len(tokens)-1) == nil {
		return errors.New("eval: the run has no logits of tokens that are to be scored")
	}
	scores := make([]Score, min(d.o.Threads, len(tokens)))
	var wg sync.WaitGroup
	for k := range scores {
		from, to := k*len(tokens)/len(scores), (k+1)*len(tokens)/len(scores)
		some := func() {
			for i := from; i < to; i++ {
				nll, right := likelihood(m.Back(row, len(tokens)-1-i), tokens[i])
				scores[k].NLL += nll
				if right {
					scores[k].Right++
				}
			}
		}
		if k == len(scores)-1 {
			some()
		} else {
			wg.Go(some)
		}
	}
	wg.Wait()
	for _, part := range scores {
		s.NLL, s.Right = s.NLL+part.NLL, s.Right+part.Right
	}
	return nil
}
