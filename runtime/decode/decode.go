// Package decode is the one generation loop: it runs a decoder session token by
// token, for the profiler, the predictor, evaluation and verification alike.
//
// It knows a decoder by the names of its inputs and outputs, those of Hugging
// Face's exports: input_ids, attention_mask, position_ids, num_logits_to_keep,
// past_key_values.{i}.key and .value in; logits, present.{i}.key and .value
// out; and past_state.{i}.{name} in, present_state.{i}.{name} out for the states
// of recurrent layers. All but input_ids, logits and caches or states may be
// missing. Instead of keys and values apart there may be past_{i} and present_{i},
// both in one tensor, as ONNX Runtime's exporter of GPT-2 has them. Sizes come
// from the declared shapes. It builds no graphs, samples no text (Greedy is there
// for checks) and reads no clock.
//
// # Steps
//
// Prefill takes a prompt for each row of the batch, Step one token for each
// row; each is a preparation, which fills the inputs and finds the binding, and
// a Run, which is the session's run and nothing else. For every pair of (new
// tokens, tokens in the cache) there is one binding, made ahead by Reserve, so
// that nothing is bound, and nothing allocated, while tokens are timed.
//
// # Buffers
//
// A cache is shared where past and present are one buffer of the greatest
// length, into which the graph writes in place, and copied where each run
// reads one set of buffers and writes another, which are then exchanged. Only
// the com.microsoft operator GroupQueryAttention writes in place. Auto takes
// shared where the model's file shows that every cache goes straight through
// such a node and no other node looks at it, and copied everywhere else. Shared
// is in addition probed: two short runs, shared and copied, have to agree, or
// New fails (see Options.NoProbe).
//
// # Padding
//
// Prompts of different lengths are padded to the longest, on a side that the
// graph decides:
//
//   - Graphs that see the cache as columns (Concat, and GroupQueryAttention with
//     an attention bias) have each new token in the same column for all rows and
//     take the mask column by column. They take padding on either side; left is
//     the default.
//   - Graphs that see it as rows (GroupQueryAttention without an attention bias:
//     our fused dialect) append to each row at that row's own length, which is the
//     number of ones in the mask. They take padding on the right only.
//
// A recurrent state goes over the tokens in order, so with states padding is on the
// right too, and the graph leaves a row's state where its last real token left it. The
// states before the first token are zeros. They are always copied between two sets of
// buffers; shared or not is a matter of the caches beside them, if there are any.
//
// Positions count a row's real tokens, as Hugging Face does; padding has
// position 0. With a batch of more than one, New probes that a padded row gives
// what it gives alone.
package decode

import (
	"errors"
	"fmt"

	"lathe/runtime/ort"
)

// Mode is how past and present share memory.
type Mode int

// The modes. The zero value decides by the graph.
const (
	Auto Mode = iota
	Shared
	Copied
)

func (m Mode) String() string { return [...]string{"auto", "shared", "copied"}[m] }

// Padding is the side on which shorter prompts are filled up.
type Padding int

// The sides. The zero value decides by the graph: right for those that see the
// cache as rows, else left.
const (
	PadAuto Padding = iota
	PadLeft
	PadRight
)

func (p Padding) String() string { return [...]string{"auto", "left", "right"}[p] }

// DefaultMaxLen is the cache's length where Options do not say.
const DefaultMaxLen = 256

// Options say what a Model is to hold. The zero value is one row of 256 tokens,
// the mode and padding that the graph takes, the last row of logits only.
type Options struct {
	Batch   int // rows; 0 is 1
	MaxLen  int // tokens a row can hold, prompt and generated; 0 is DefaultMaxLen
	Mode    Mode
	Padding Padding
	// AllLogits computes the logits of every prompt token, where the graph has
	// num_logits_to_keep; without that input they always are.
	AllLogits bool
	// NoProbe leaves out the probes of shared buffers and of padding, which
	// cost four to twelve runs of a few tokens: for graphs from a lowering
	// that was probed before. Shared is always probed where the model's file
	// does not show that it is right.
	NoProbe bool
	// Vocab is the size of the vocabulary of a graph that does not declare it; 0 finds
	// out by running a token.
	Vocab int
}

// Errors of a caller's tokens.
var (
	ErrTooLong = errors.New("more tokens than the cache holds")
	ErrToken   = errors.New("token id outside the vocabulary")
	ErrBatch   = errors.New("wrong number of rows")
	// ErrState marks what a recurrent state cannot do.
	ErrState = errors.New("a recurrent state cannot go back")
)

// Model is a session with its caches: a batch of sequences that grow together.
// It belongs to one goroutine at a time.
type Model struct {
	s      *ort.Session
	g      *graph
	o      Options
	shared bool

	ids, pos, mask ints
	sets           [2][]*ort.Buffer // by cache; shared mode has the first only
	states         [3][]*ort.Tensor // by state: two sets that alternate, and zeros
	stateBufs      []*ort.Buffer    // their memory
	one, many      *ort.Buffer      // logits of a single row, and of several
	wide           []float32        // those of the last run that were asked for, where the graph's are float16
	widened        bool             // wide holds those of the last run
	keeps          map[int]*ort.Tensor
	views          map[viewKey][]*ort.Tensor
	plans          map[planKey]*plan
	loose          int // of them are not reserved
	marked         mark

	length  int   // columns in the cache
	from    int   // which set they are in
	rowLen  []int // real tokens of each row
	real    *ort.Buffer
	columns []bool // [batch, MaxLen], the memory of real: is it a real token
	lastCol []int  // the column of each row's last token, within the last run
	next    *plan  // what Run will run
	nextLen []int
	nextCol []int
	done    *plan // what it ran last
}

// Describe is what New would find in a session of a model, where the file alone tells:
// the layers that have caches, and the vocabulary, 0 where the logits' shape does not
// say. Its error is New's, for what is no decoder.
func Describe(d *ort.Declared) (Info, error) {
	g, err := discover(d)
	if err != nil {
		return Info{}, err
	}
	o := Options{Batch: max(1, int(g.fixedBatch)), MaxLen: DefaultMaxLen}
	if err := g.choose(&o); err != nil {
		return Info{}, err
	}
	return Info{
		Batch: o.Batch, MaxLen: o.MaxLen, Vocab: max(0, g.vocab), Mode: o.Mode, Padding: o.Padding,
		KeepsLast: g.keep.Name != "", FixedBatch: g.fixedBatch >= 0, Pads: g.mask.Name != "", Layers: g.layers(), States: len(g.states),
	}, nil
}

// New makes a model of a session, which stays the caller's and has to outlive
// it. All memory for tokens and caches is taken here.
func New(s *ort.Session, o Options) (*Model, error) {
	g, err := discover(&s.Declared)
	if err != nil {
		return nil, err
	}
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.MaxLen == 0 {
		o.MaxLen = DefaultMaxLen
	}
	if err := g.choose(&o); err != nil {
		return nil, err
	}
	if g.vocab < 0 {
		g.vocab = o.Vocab
	}
	if g.vocab < 1 {
		if g.vocab, err = g.askVocab(s, o.Batch); err != nil {
			return nil, err
		}
	}
	if o.Mode == Shared && (!o.NoProbe || g.notInPlace != "") {
		if err := probeShared(s, g, o); err != nil {
			return nil, err
		}
	}
	if o.Batch > 1 && g.mask.Name != "" && !o.NoProbe {
		if err := probePadding(s, g, o); err != nil {
			return nil, err
		}
	}
	return newModel(s, g, o)
}

// newModel takes the memory, the most first. What grows with the batch or the
// length is not of the Go heap, where too much would end the process.
func newModel(s *ort.Session, g *graph, o Options) (m *Model, err error) {
	m = &Model{
		s: s, g: g, o: o, shared: o.Mode == Shared,
		keeps: map[int]*ort.Tensor{}, views: map[viewKey][]*ort.Tensor{}, plans: map[planKey]*plan{},
		rowLen: make([]int, o.Batch), nextLen: make([]int, o.Batch), lastCol: make([]int, o.Batch), nextCol: make([]int, o.Batch),
	}
	defer func() {
		if err != nil {
			m.Close()
			err = fmt.Errorf("decode: %s: batch %d of %d tokens, %s: %w", s.Name(), o.Batch, o.MaxLen, o.Mode, err)
			m = nil
		}
	}()
	for set := range m.sets {
		if m.shared && set == 1 {
			break
		}
		for _, c := range g.caches {
			b, err := ort.NewBuffer(c.typ, c.parts()*o.Batch*c.Heads*o.MaxLen*c.HeadDim)
			if err != nil {
				return m, err
			}
			m.sets[set] = append(m.sets[set], b)
		}
	}
	if err := m.allocateStates(); err != nil {
		return m, err
	}
	for _, in := range []struct {
		v  *ints
		of ort.ValueInfo
	}{{&m.ids, g.ids}, {&m.pos, g.pos}, {&m.mask, g.mask}} {
		if err := in.v.allocate(in.of, o.Batch*o.MaxLen); err != nil {
			return m, err
		}
	}
	if m.one, err = ort.NewBuffer(g.logits, o.Batch*g.vocab); err != nil {
		return m, err
	}
	m.widen(o.Batch * g.vocab)
	if m.real, err = ort.NewBuffer(ort.Bool, o.Batch*o.MaxLen); err != nil {
		return m, err
	}
	m.columns = ort.BufferData[bool](m.real)
	return m, nil
}

// Info is what a Model found and chose.
type Info struct {
	Batch, MaxLen int
	Vocab         int
	Mode          Mode    // never Auto
	Padding       Padding // never PadAuto
	KeepsLast     bool    // a prefill computes the logits of its last token only
	FixedBatch    bool    // the graph takes this number of rows and no other
	Pads          bool    // it takes prompts of different lengths
	CacheBytes    int64   // of all buffers of caches and states
	Layers        []Layer
	States        int // recurrent ones, which go back to a Mark only
}

// Layer is a layer that has a cache.
type Layer struct {
	Index          int // the number in its names
	Heads, HeadDim int // of keys and values
}

// Info describes the model.
func (m *Model) Info() Info {
	i := Info{Batch: m.o.Batch, MaxLen: m.o.MaxLen, Vocab: m.g.vocab, Mode: m.o.Mode, Padding: m.o.Padding, KeepsLast: m.g.keep.Name != "" && !m.o.AllLogits}
	i.FixedBatch, i.Pads = m.g.fixedBatch >= 0, m.g.mask.Name != ""
	i.Layers, i.States = m.g.layers(), len(m.g.states)
	for _, set := range m.sets {
		for _, b := range set {
			i.CacheBytes += int64(b.Elements() * b.Type().Size())
		}
	}
	for _, b := range m.stateBufs {
		i.CacheBytes += int64(b.Elements() * b.Type().Size())
	}
	return i
}

// Session is the session the model runs on.
func (m *Model) Session() *ort.Session { return m.s }

// Len is the number of columns in the cache: the tokens of the longest row,
// padding among them.
func (m *Model) Len() int { return m.length }

// RowLen is the number of real tokens of a row.
func (m *Model) RowLen(row int) int { return m.rowLen[row] }

// Close frees the model's memory; slices of logits are void from then on.
func (m *Model) Close() {
	m.next, m.done = nil, nil
	m.dropPlans(func(*plan) bool { return true })
	for _, list := range m.views {
		for _, t := range list {
			t.Close()
		}
	}
	for _, t := range m.keeps {
		t.Close()
	}
	m.closeStates()
	for _, b := range append(append([]*ort.Buffer{m.ids.buf, m.pos.buf, m.mask.buf, m.real, m.one, m.many}, m.sets[0]...), m.sets[1]...) {
		if b != nil {
			b.Close()
		}
	}
	clear(m.views)
	clear(m.keeps)
	m.sets = [2][]*ort.Buffer{}
	m.one, m.many, m.real, m.columns, m.wide = nil, nil, nil, nil, nil
}

// ints is an input of whole numbers, int64 or int32 as the graph has it; no
// buffer at all where the graph lacks the input.
type ints struct {
	buf *ort.Buffer
	i64 []int64
	i32 []int32
}

func (v *ints) allocate(of ort.ValueInfo, n int) (err error) {
	if of.Name == "" {
		return nil
	}
	if v.buf, err = ort.NewBuffer(of.Type, n); err != nil {
		return err
	}
	if of.Type == ort.Int64 {
		v.i64 = ort.BufferData[int64](v.buf)
	} else {
		v.i32 = ort.BufferData[int32](v.buf)
	}
	return nil
}

func (v *ints) set(i int, x int64) {
	switch {
	case v.i64 != nil:
		v.i64[i] = x
	case v.i32 != nil:
		v.i32[i] = int32(x)
	}
}
