package decode_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// column is what a row has in a column: a token, or padding.
const padding = -1

// rows is what a model's cache should hold.
type rows struct {
	byColumn [][]int64 // [batch][Len]
	compact  bool      // the graph sees the cache as rows
}

func (r *rows) tokens(row int) []int64 {
	var out []int64
	for _, id := range r.byColumn[row] {
		if id != padding {
			out = append(out, id)
		}
	}
	return out
}

func (r *rows) truncate(n int) {
	if n == 0 {
		clear(r.byColumn)
		return
	}
	for row, cols := range r.byColumn {
		if r.compact { // the last tokens go, the padding before them does not count
			for drop := len(cols) - n; drop > 0; drop-- {
				for i := len(cols) - 1; ; i-- {
					if cols[i] != padding {
						cols = append(append([]int64{}, cols[:i]...), cols[i+1:]...)
						break
					}
				}
			}
			r.byColumn[row] = cols
			continue
		}
		r.byColumn[row] = cols[:n]
	}
}

// Whatever is done to a model, in whatever way its graph is made, each row's
// logits are those of that row's own tokens.
func TestAnySequence(t *testing.T) {
	toys := []toy{{}, {combined: true}, {keep: true}, {noPos: true}, {noMask: true}, {fused: true}, {fused: true, keep: true}, {fused: true, keep: true, int32: true}, {fused: true, keep: true, bias: "columns"}, {fused: true, peeks: true}}
	sessions := make([]*ort.Session, len(toys))
	for i, c := range toys {
		sessions[i] = toySession(t, c)
	}
	rapid.Check(t, func(t *rapid.T) {
		which := rapid.IntRange(0, len(toys)-1).Draw(t, "toy")
		c := toys[which]
		o := decode.Options{
			Batch: rapid.IntRange(1, 3).Draw(t, "batch"), MaxLen: rapid.IntRange(1, 12).Draw(t, "max length"),
			AllLogits: rapid.Bool().Draw(t, "all logits"), NoProbe: rapid.Bool().Draw(t, "no probe"),
		}
		if rapid.Bool().Draw(t, "copied") {
			o.Mode = decode.Copied
		}
		if rapid.Bool().Draw(t, "right") {
			o.Padding = decode.PadRight
		}
		if c.noPos && o.Batch > 1 { // without positions there is no padding
			o.NoProbe = true
		}
		m, err := decode.New(sessions[which], o)
		if err != nil {
			t.Fatalf("%+v %+v: %v", c, o, err)
		}
		defer m.Close()
		if rapid.Bool().Draw(t, "reserve") {
			n := rapid.IntRange(1, o.MaxLen).Draw(t, "reserved prompt")
			if err := m.Reserve([]int{n}, o.MaxLen); err != nil {
				t.Fatal(err)
			}
		}
		r := rows{byColumn: make([][]int64, o.Batch), compact: c.fused && c.bias == ""}
		right := m.Info().Padding == decode.PadRight
		id := rapid.Int64Range(0, toyVocab-1)
		for range rapid.IntRange(1, 12).Draw(t, "operations") {
			free := o.MaxLen - m.Len()
			switch op := rapid.SampledFrom([]string{"prefill", "step", "step", "truncate", "reset"}).Draw(t, "operation"); {
			case op == "prefill" && free > 0:
				longest := rapid.IntRange(1, free).Draw(t, "prompt length")
				if c.fused && o.Batch > 1 && m.Len() > 0 {
					longest = 1 // the operator's own limit
				}
				ragged := !c.noMask && !c.noPos && rapid.Bool().Draw(t, "ragged")
				prompts := make([][]int64, o.Batch)
				for row := range prompts {
					n := longest
					if ragged && row > 0 {
						n = rapid.IntRange(1, longest).Draw(t, "row length")
					}
					prompts[row] = rapid.SliceOfN(id, n, n).Draw(t, "prompt")
				}
				if err := m.Prefill(prompts); err != nil {
					t.Fatalf("%+v %+v: %v", c, o, err)
				}
				for row, p := range prompts {
					pads := make([]int64, longest-len(p))
					for i := range pads {
						pads[i] = padding
					}
					if right {
						r.byColumn[row] = append(append(r.byColumn[row], p...), pads...)
					} else {
						r.byColumn[row] = append(append(r.byColumn[row], pads...), p...)
					}
				}
			case op == "step" && free > 0:
				ids := rapid.SliceOfN(id, o.Batch, o.Batch).Draw(t, "ids")
				if err := m.Step(ids); err != nil {
					t.Fatalf("%+v %+v: %v", c, o, err)
				}
				for row, id := range ids {
					r.byColumn[row] = append(r.byColumn[row], id)
				}
			case op == "truncate":
				n := rapid.IntRange(0, m.Len()).Draw(t, "truncated length")
				short := false
				for row := range r.byColumn {
					short = short || n > 0 && r.compact && len(r.tokens(row))-(m.Len()-n) < 1
				}
				if err := m.Truncate(n); (err != nil) != short {
					t.Fatalf("%+v: truncate to %d: %v, want an error: %v", c, n, err, short)
				} else if err == nil {
					r.truncate(n)
				}
				continue
			case op == "reset":
				m.Reset()
				clear(r.byColumn)
				continue
			default:
				continue
			}
			for row := range o.Batch {
				want := r.tokens(row)
				if m.RowLen(row) != len(want) || m.Len() != len(r.byColumn[row]) {
					t.Fatalf("%+v %+v: row %d has %d of %d, want %d of %d", c, o, row, m.RowLen(row), m.Len(), len(want), len(r.byColumn[row]))
				}
				if err := near(m.Last(row), want); err != nil {
					t.Fatalf("%+v %+v: row %d of %v: %v", c, o, row, r.byColumn, err)
				}
			}
		}
	})
}

// Once reserved, nothing is allocated, neither in preparing nor in running.
func TestAllocatesNothing(t *testing.T) {
	for _, c := range []toy{{}, {keep: true}, {fused: true, keep: true}, {half: true, fused: true, keep: true}} {
		for _, mode := range []decode.Mode{decode.Auto, decode.Copied} {
			m := toyDecoder(t, c, decode.Options{Batch: 2, MaxLen: 16, Mode: mode})
			prompts := [][]int64{{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}}
			next := make([]int64, 2)
			if err := m.Reserve([]int{5}, 12); err != nil {
				t.Fatal(err)
			}
			round := func() {
				m.Reset()
				err := m.Prefill(prompts)
				for i := 0; i < 7 && err == nil; i++ {
					m.Greedy(next)
					if err = m.PrepareStep(next); err == nil {
						err = m.Run()
					}
				}
				if err == nil {
					err = m.Truncate(7)
				}
				for i := 0; i < 5 && err == nil; i++ {
					err = m.Step(next)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(20, round); n != 0 {
				t.Errorf("%+v %v: a prefill, 7 steps, a truncation and 5 more steps allocate %v times, want 0", c, m.Info().Mode, n)
			}
		}
	}
}

func TestGreedy(t *testing.T) {
	m := toyDecoder(t, toy{fused: true, keep: true}, decode.Options{Batch: 2})
	got := []int64{-5, -5}
	m.Greedy(got)
	if got[0] != -5 {
		t.Error("Greedy writes before the first run")
	}
	prompts := [][]int64{{1, 2, 3}, {7}}
	if err := m.Prefill(prompts); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m.Greedy(got)
		for row := range prompts {
			best := int64(0)
			for id, x := range toyLogits(prompts[row]) {
				if x > toyLogits(prompts[row])[best] {
					best = int64(id)
				}
			}
			if got[row] != best {
				t.Fatalf("after %v the next is %d, want %d", prompts[row], got[row], best)
			}
			prompts[row] = append(prompts[row], best)
		}
		if err := m.Step(got); err != nil {
			t.Fatal(err)
		}
	}
}

// Two models of one session do not disturb each other, and closing is final.
func TestTwoModels(t *testing.T) {
	s := toySession(t, toy{fused: true})
	a := must(decode.New(s, decode.Options{MaxLen: 8}))(t)
	b := must(decode.New(s, decode.Options{MaxLen: 9}))(t)
	defer b.Close()
	if err := errors.Join(a.Prefill([][]int64{{1, 2}}), b.Prefill([][]int64{{3, 4, 5}}), a.Step([]int64{6}), b.Step([]int64{7})); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(near(a.Last(0), []int64{1, 2, 6}), near(b.Last(0), []int64{3, 4, 5, 7})); err != nil {
		t.Error(err)
	}
	a.Close()
	a.Close()
	for _, err := range []error{a.Prefill([][]int64{{1}}), a.Step([]int64{1}), a.Reserve([]int{1}, 2)} {
		if !errors.Is(err, ort.ErrClosed) {
			t.Errorf("a closed model: %v", err)
		}
	}
	if err := errors.Join(b.Step([]int64{8}), near(b.Last(0), []int64{3, 4, 5, 7, 8})); err != nil {
		t.Error(err)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, c := range []toy{{keep: true}, {fused: true, keep: true}} {
		for _, prepare := range []string{"prepare", "whole"} {
			m := toyDecoder(b, c, decode.Options{MaxLen: 48})
			b.Run(fmt.Sprintf("%v/%s", m.Info().Mode, prepare), func(b *testing.B) {
				if err := errors.Join(m.Reserve([]int{16}, 48), m.Prefill([][]int64{make([]int64, 16)})); err != nil {
					b.Fatal(err)
				}
				ids := []int64{1}
				b.ReportAllocs()
				for b.Loop() {
					if m.Len() == 48 {
						if err := m.Truncate(16); err != nil {
							b.Fatal(err)
						}
					}
					if err := m.PrepareStep(ids); err != nil {
						b.Fatal(err)
					}
					if prepare == "prepare" {
						continue
					}
					if err := m.Run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
