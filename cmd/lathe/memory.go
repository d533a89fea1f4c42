package main

import (
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/machine"
	"lathe/profiler/record"
)

// sessionNeed is the memory that a session takes, in bytes: anonymous memory, that
// is, which the system cannot drop. The pool's pages, from which weights are read,
// it can.
//
// It is a model of ONNX Runtime 1.32.0's CPU provider, held to 0.95 to 1.4 of what
// real sessions take by TestSessionNeed.
type sessionNeed struct {
	weights     int64 // as the kernels want them, copies that are being made among them
	cache       int64 // keys and values, as decode holds them
	activations int64 // of the longest prompt; taken when it is first run
}

func (n sessionNeed) total() int64 { return n.weights + n.cache + n.activations + sessionOverhead }

// sessionOverhead is what every session takes: its graph, threads, small blocks.
const sessionOverhead = 9 << 20

// needOf estimates what a session of c takes that runs the plan.
func needOf(c arch.Candidate, plan profiler.Plan) sessionNeed {
	s, b := c.Spec, c.Build.Normalized()
	fused := b.Dialect == arch.Fused
	var n sessionNeed

	var linear, head int64
	for _, m := range s.MatMuls() {
		if m.Layer < 0 {
			head = packedBytes(m, b.Head)
		} else {
			linear += packedBytes(m, b.Precision)
		}
	}
	// Embeddings, and what was packed, stay in the pool's pages.
	n.weights = linear + head
	switch whole := b.Head.Type == arch.Unquantized; {
	case b.Float != arch.FP32:
		n.weights = castBytes(fused, b, linear, head)
	case whole && !fused:
		// The head's matrix is transposed while the graph is optimized: there are
		// three of it then, and later still two.
		n.weights = max(3*head, linear+2*head)
	}

	if b.Head.Blockwise() && s.SharesHead(b) {
		// The gather reads the pool's pages; the product's form of them is a copy, until
		// the kernel has packed it.
		n.weights += int64(s.Vocab) * int64(s.DModel) * int64(b.Head.Bits()) / 8
	}

	length := int64(plan.MaxLen())
	n.cache = s.KVBytesPerToken(b) * length
	if !fused {
		n.cache *= 2 // past and present are buffers of their own
	}
	n.cache += 3 * s.StateBytes() // two sets that alternate, and zeros

	rows := int64(0)
	for _, p := range plan.PromptLens() {
		rows = max(rows, int64(p))
	}
	for i, l := range s.Layers {
		if t := s.TypeOf(i); t.Recurrent() {
			n.activations = max(n.activations, recurrentBytes(rows, int64(t.Gates()*s.HiddenOf(i)), int64(s.InputOf(i)), int64(s.HiddenOf(i))))
			continue
		}
		hidden := l.NHead * s.HeadDimOf(i)
		a := activationBytes(fused, rows, int64(s.DModel), int64(hidden), int64(l.DInner), int64(l.NHead))
		if s.Rotary() {
			a += rotaryBytes(fused, rows, int64(hidden+l.KVHeads()*s.HeadDimOf(i)), int64(l.DInner))
		}
		n.activations = max(n.activations, a)
	}
	return n
}

// needOfSubject is needOf for whatever is timed. Of a file the library reads all
// bytes, and packs the matrices of products, which are most of them; the originals go
// once a session is there.
func needOfSubject(s record.Subject, plan profiler.Plan) sessionNeed {
	if c, own := s.Own(); own {
		return needOf(c, plan)
	}
	n := sessionNeed{weights: 2 * s.File.Bytes}
	if spec, known := s.Spec(); known {
		like := needOf(arch.Candidate{Spec: spec, Build: arch.Build{Dialect: arch.Portable}}, plan)
		n.cache, n.activations = like.cache, like.activations
	}
	return n
}

// castBytes is what weights take that are not of fp32, beside those that are quantized.
// The library makes fp32 of them when it makes the session, and packs that. Of the
// head, the largest, there are the two and what they are made from then, and without
// fused operators the transposed one; of the others a fifth more. Fitted to sessions of
// both dialects with heads of 3 to 154 MB.
func castBytes(fused bool, b arch.Build, linear, head int64) int64 {
	if b.Precision.Type == arch.Unquantized {
		linear += linear / 5
	}
	switch {
	case b.Head.Type != arch.Unquantized:
	case fused:
		head = head * 5 / 2
	default:
		head *= 3
	}
	return linear + head
}

// packedBytes is a matrix as MLAS packs it for its kernels: in fp32 with the
// outputs filled up to whole panels, in blocks with the sum of each beside its scale,
// in dynamic int8 with the sum of each output.
func packedBytes(m arch.MatMul, p arch.Precision) int64 {
	const panel, fp32 = 16, 4
	k, n := int64(m.K), int64(m.N)
	if p.Type == arch.Unquantized {
		return k * (n + panel - 1) / panel * panel * fp32
	}
	if p.Type == arch.Int8Dyn {
		return n * (k + fp32)
	}
	block := int64(p.Block)
	return n * ((k + block - 1) / block) * (block*int64(p.Bits())/8 + 2*fp32)
}

// activationBytes is what a prompt leaves the library's arena with. Layers use the
// same memory, one after the other. The first run takes each value where there is
// room; the second, whose shapes are known, takes one block for all of them, and
// the arena keeps both. So every value counts about twice.
//
// The factors are fitted to sessions of 1 to 18 layers, prompts of 64 to 2000
// tokens, d_inner of 1 to 11 times d_model, and 4 to 32 heads.
func activationBytes(fused bool, rows, dModel, hidden, dInner, heads int64) int64 {
	const fp32 = 4
	if fused { // attention's scores are made in tiles
		return fp32 * rows * (6*dInner + 10*dModel + 9*hidden)
	}
	scores := fp32 * rows * rows
	return fp32*rows*(6*dInner+8*dModel+16*hidden) + scores*heads*9/2 + 2*scores
}

// rotaryBytes is what a layer of the LLaMA family takes beside that: the MLP has two
// values of width d_inner, and without fused operators the rotary embedding writes
// queries and keys, together of width queryKeys, several times. Fitted to sessions of
// prompts of 64 to 1500 tokens, 4 to 32 heads, and 1 to 4 heads to one of keys.
func rotaryBytes(fused bool, rows, queryKeys, dInner int64) int64 {
	const fp32 = 4
	if fused {
		return fp32 * rows * dInner
	}
	return fp32 * rows * (dInner + 11*queryKeys)
}

// recurrentBytes is what a recurrent layer takes of a prompt: each value about twice,
// as in activationBytes. With int4 weights it is 0.9 to 2 times what is taken: a few
// large values are then most of all, and the arena grows by doubling.
func recurrentBytes(rows, gates, in, hidden int64) int64 {
	const fp32 = 4
	return fp32 * rows * (2*gates + 2*in + 2*hidden)
}

// memoryError is a session that was not created, since there is not enough memory
// for it. Whoever reports it says whose session.
type memoryError struct {
	Subject   record.Subject
	Need      int64 // bytes
	Available int64

	parts sessionNeed
}

func (e *memoryError) Error() string {
	mb := func(n int64) string { return fmt.Sprintf("%.0f MB", math.Ceil(float64(n)/1e6)) }
	return fmt.Sprintf("it needs %s of memory and %s are available (weights %s, cache %s, the longest prompt %s): %s",
		mb(e.Need), mb(e.Available), mb(e.parts.weights), mb(e.parts.cache), mb(e.parts.activations), e.help())
}

// help is what would need less.
func (e *memoryError) help() string {
	c, own := e.Subject.Own()
	if !own {
		return "less that runs beside it would do"
	}
	var ways []string
	b := c.Build.Normalized()
	if b.Precision.Type == arch.Unquantized || b.Head.Type == arch.Unquantized {
		ways = append(ways, "int4 weights (+int4b32)")
	}
	if p := e.parts; 4*(p.activations+p.cache) > e.Need {
		ways = append(ways, "shorter prompts")
		if b.Dialect == arch.Portable {
			ways = append(ways, "the fused dialect")
		}
	}
	return "a smaller candidate" + strings.Join(append([]string{""}, ways...), ", ") + ", or less that runs beside it would do"
}

// checkMemory refuses a session for which there is not enough memory: the system
// would end the process, and everything measured in it.
//
// Other providers than the CPU hold weights in ways that are not known here.
func (a *app) checkMemory(s record.Subject, plan profiler.Plan) error {
	if s.Provider().Name != arch.CPU {
		return nil
	}
	parts := needOfSubject(s, plan)
	need := parts.total() + a.unrun
	available, ok := machine.AvailableMemory()
	if ok && available < need {
		releaseMemory() // what closed sessions left counts as taken
		available, ok = machine.AvailableMemory()
	}
	if ok && available < need {
		return &memoryError{s, need, available, parts}
	}
	a.unrun += parts.activations
	return nil
}

// checkGrowth refuses a longer plan for an open session whose longer cache and
// prompts there is no memory for.
func (a *app) checkGrowth(s record.Subject, from, to profiler.Plan) error {
	if s.Provider().Name != arch.CPU {
		return nil
	}
	was, parts := needOfSubject(s, from), needOfSubject(s, to)
	need := parts.total() - was.total()
	available, ok := machine.AvailableMemory()
	if !ok || need <= 0 || available >= need {
		return nil
	}
	return &memoryError{s, need, available, parts}
}

// checkThreads says it where a session has more threads than the cores it may use:
// they take turns, and every operator waits for its last one.
func (a *app) checkThreads(threads int) {
	if a.crowded[threads] {
		return
	}
	cpus, err := machine.CPUs()
	if err != nil {
		return // nothing is known to warn of
	}
	what := fmt.Sprintf("%d cores", len(cpus))
	cores := float64(len(cpus))
	if quota, ok := machine.CPUQuota(); ok && quota < cores {
		cores, what = quota, fmt.Sprintf("the time of %.3g cores (a control group's quota)", quota)
	}
	if float64(threads) <= cores {
		return
	}
	if a.crowded == nil {
		a.crowded = map[int]bool{}
	}
	a.crowded[threads] = true
	a.note("note: builds with %d threads (+t%d) are timed on a machine that has %s for this process: the threads take turns, and timings are slower and less steady than on one with enough", threads, threads, what)
}
