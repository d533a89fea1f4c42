package operators

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// MaxEvents is the most events that the library keeps of a session; later ones
// are dropped, without a mark in the file (max_num_events_ in its profiler.h).
const MaxEvents = 1_000_000

// Tensor is an operand's type and shape, as the trace has them.
type Tensor struct {
	Type  string // of the library's own naming: float, int64, uint8
	Shape []int64
}

// Event is one entry of a trace: something that began and took a while. Times are
// microseconds.
type Event struct {
	Category, Name string // Session, Node, Kernel, ...
	Thread         string
	Start, Dur     int64
	Args           Args
}

// End is when it ended.
func (e Event) End() int64 { return e.Start + e.Dur }

// Args are what a node's event says of it. What an older or newer library leaves
// out is empty, and -1 where it is a number.
type Args struct {
	Op, Provider    string
	Index           int64 // of the node in the graph as the library rewrote it
	Inputs, Outputs []Tensor
	// Bytes of the operands that are initializers, of the other inputs, and of the
	// outputs. A weight that the library rearranged into memory of its own is in
	// none of them, nor in Inputs.
	ParameterBytes, ActivationBytes, OutputBytes int64
}

// rawEvent is an entry as it stands in the file.
type rawEvent struct {
	Cat  string          `json:"cat"`
	Name string          `json:"name"`
	Ph   string          `json:"ph"`
	Tid  json.RawMessage `json:"tid"`
	TS   *number         `json:"ts"`
	Dur  *number         `json:"dur"`
	Args json.RawMessage `json:"args"`
}

type rawArgs struct {
	Op         string          `json:"op_name"`
	Provider   string          `json:"provider"`
	Index      *number         `json:"node_index"`
	GraphIndex *number         `json:"graph_index"` // its name before 1.14
	Inputs     json.RawMessage `json:"input_type_shape"`
	Outputs    json.RawMessage `json:"output_type_shape"`
	Parameters *number         `json:"parameter_size"`
	Activation *number         `json:"activation_size"`
	Output     *number         `json:"output_size"`
}

// number is an integer, in quotes or not: the library quotes sizes.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no whole number", b)
	}
	*n = number(v)
	return nil
}

func (n *number) or(missing int64) int64 {
	if n == nil {
		return missing
	}
	return int64(*n)
}

// ReadEvents hands the complete events of a trace to visit, in the file's order,
// one at a time: the file may be larger than memory. It takes the library's array
// of events and an object that has it as traceEvents. A file that ends early or has
// no such form is an error that names the event.
func ReadEvents(r io.Reader, visit func(Event) error) error {
	d := json.NewDecoder(r)
	if err := openEvents(d); err != nil {
		return fmt.Errorf("operators: this is no trace of ONNX Runtime: %w", err)
	}
	for n := 1; d.More(); n++ {
		var raw rawEvent
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("operators: event %d of the trace, which ends before byte %d: %w", n, d.InputOffset(), early(err))
		}
		if raw.Ph != "X" { // names of processes, counters
			continue
		}
		e, err := raw.event()
		if err != nil {
			return fmt.Errorf("operators: event %d of the trace, %q: %w", n, raw.Name, err)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("operators: the trace stops at byte %d without its end: %w", d.InputOffset(), early(err))
	}
	return nil
}

func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// openEvents goes to the first event.
func openEvents(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return early(err)
	}
	if t == json.Delim('[') {
		return nil
	}
	if t != json.Delim('{') {
		return fmt.Errorf("it begins with %v, want a list of events", t)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return early(err)
		}
		if key == "traceEvents" {
			if t, err = d.Token(); err == nil && t != json.Delim('[') {
				err = fmt.Errorf("traceEvents is %v, want a list", t)
			}
			return early(err)
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return early(err)
		}
	}
	return errors.New("it is an object without traceEvents")
}

// maxMicroseconds keeps times of nanoseconds, and sums of some, within int64.
const maxMicroseconds = math.MaxInt64 / 1000 / 4

func (r rawEvent) event() (Event, error) {
	e := Event{Category: r.Cat, Name: r.Name, Thread: string(r.Tid), Start: r.TS.or(-1), Dur: r.Dur.or(-1)}
	if e.Start < 0 || e.Dur < 0 || e.Start > maxMicroseconds || e.Dur > maxMicroseconds {
		return e, fmt.Errorf("it starts at %d us and takes %d us; want both, and neither negative", e.Start, e.Dur)
	}
	if e.Category != nodeCategory || len(r.Args) == 0 {
		return e, nil
	}
	var a rawArgs
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return e, fmt.Errorf("args: %w", err)
	}
	if a.Index == nil {
		a.Index = a.GraphIndex
	}
	e.Args = Args{
		Op: a.Op, Provider: a.Provider, Index: a.Index.or(-1),
		Inputs: tensors(a.Inputs), Outputs: tensors(a.Outputs),
		ParameterBytes: a.Parameters.or(-1), ActivationBytes: a.Activation.or(-1), OutputBytes: a.Output.or(-1),
	}
	return e, nil
}

// Greater shapes are damage, and their sizes would exceed what floats hold.
const (
	maxRank = 16
	maxDim  = 1 << 40
)

// tensors reads a list such as [{"float":[1,64]},{"int64":[]}]. A form that is not
// known leaves nothing: shapes are then not there, rather than wrong.
func tensors(b json.RawMessage) []Tensor {
	var list []map[string][]int64
	if len(b) == 0 || json.Unmarshal(b, &list) != nil {
		return nil
	}
	out := make([]Tensor, len(list))
	for i, one := range list {
		if len(one) != 1 {
			return nil
		}
		for t, shape := range one {
			if len(shape) > maxRank || slices.ContainsFunc(shape, func(n int64) bool { return n < 0 || n > maxDim }) {
				return nil
			}
			out[i] = Tensor{t, shape}
		}
	}
	return out
}
