package graphgen_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/graphgen/ir"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// withoutVector are the builder's emitters that no vector of ONNX's passes through,
// and why.
var withoutVector = map[string]string{
	"DynamicQuantizeMatMul":   "ONNX Runtime's own",
	"GatherBlockQuantized":    "ONNX Runtime's own",
	"GroupQueryAttention":     "ONNX Runtime's own",
	"Pad":                     "there is none; package autodiff's tests hold it against a second implementation",
	"SumSquares":              "there is none of ReduceSumSquare; as for Pad",
	"ScanBack":                "as for Pad",
	"Sum":                     "there is none; as for Pad",
	"Stack":                   "an output of a Scan; as for Pad",
	"LastRows":                "Neg and Unsqueeze, which have theirs",
	"MatMulNBits":             "ONNX Runtime's own",
	"Scan":                    "there is none",
	"Range":                   "the vectors step by 2 and by -3, ours by 1",
	"SkipLayerNorm":           "ONNX Runtime's own",
	"SkipSimplifiedLayerNorm": "ONNX Runtime's own",
}

// notOperators are methods that declare values.
var notOperators = []string{"Scalar", "Floats", "Input", "InputWithDefault", "Int32", "Int64", "Int64s", "Param", "QuantParam", "StackedParam", "TurnedParam"}

// Every standard operator that is emitted gives what ONNX's own vectors say, built by
// the emitters and run by the library, and has the type and shape that the emitters
// inferred. The golden lists every vector of such an operator, and why it is left out
// if it is.
func TestEmittersAgainstONNX(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(provisiontest.Shared(t, "onnx-node-tests"), "test_*"))
	if err != nil || len(dirs) < 500 {
		t.Fatalf("%d vectors, %v", len(dirs), err)
	}
	passing := map[string]bool{}
	var list bytes.Buffer
	var passed, left, others int
	for _, dir := range dirs {
		v := readVector(t, dir)
		op := v.nodes[0].OpType
		if len(v.nodes) > 1 {
			if ours := emittedAmong(v); len(ours) > 0 {
				left++
				fmt.Fprintf(&list, "%s: not: %d nodes, a function written out; among them %s\n", v.name, len(v.nodes), strings.Join(ours, " "))
			} else {
				others++
			}
			continue
		}
		if len(emitters[op]) == 0 {
			others++
		}
		for _, e := range emitters[op] {
			ok, note := tryVector(t, v, e)
			word := "not: "
			if ok {
				passing[e.method] = true
				passed++
				word = "passes"
				if note != "" {
					word += ", "
				}
			} else {
				left++
			}
			fmt.Fprintf(&list, "%s: opset %d %s by %s: %s%s\n", v.name, v.opset, op, e.method, word, note)
		}
	}
	methods := reflect.TypeFor[*ir.Builder]()
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		emits := m.Name == "Output"
		for k := range m.Type.NumOut() {
			o := m.Type.Out(k)
			emits = emits || o == reflect.TypeFor[*ir.Value]() || o == reflect.TypeFor[[]*ir.Value]()
		}
		why, excused := withoutVector[m.Name]
		switch {
		case !emits || slices.Contains(notOperators, m.Name):
		case excused == passing[m.Name]:
			t.Errorf("%s: passes a vector: %v; said to have none because: %q", m.Name, passing[m.Name], why)
		case excused:
			fmt.Fprintf(&list, "%s: no vector: %s\n", m.Name, why)
		}
	}
	t.Logf("%d pass, %d are left out, %d are of operators that are not emitted\n%s", passed, left, others, list.Bytes())
	path := filepath.Join("testdata", "node-vectors.txt")
	if *update {
		if err := os.WriteFile(path, list.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), list.String()); d != "" {
		t.Errorf("the list of vectors changed (-update writes it anew):\n%s", d)
	}
}

// emittedAmong are the vector's operators that have an emitter.
func emittedAmong(v *vector) (ops []string) {
	for _, n := range v.nodes {
		if len(emitters[n.OpType]) > 0 {
			ops = append(ops, n.OpType)
		}
	}
	slices.Sort(ops)
	return slices.Compact(ops)
}

// tryVector builds and runs v; what disagrees fails the test. What e cannot emit
// is false, with the reason.
func tryVector(t *testing.T, v *vector, e emitter) (ok bool, note string) {
	t.Helper()
	if typ := v.foreign(); typ != 0 {
		return false, fmt.Sprintf("the builder has no %v", typ)
	}
	if op := v.nodes[0].OpType; v.opset > ir.OpsetONNX && !e.contributed && !slices.Contains(onlyMoreTypes, op) {
		return false, fmt.Sprintf("ours is opset %d", ir.OpsetONNX)
	}
	b := &emitting{ir.NewBuilder(v.name), v, map[string]tensor{}}
	outs, note := e.emit(b)
	if len(outs) == 0 {
		return false, note
	}
	for i, o := range outs {
		if w := v.out[i]; o.Type != w.typ || o.Shape.String() != ir.Fixed(w.shape...).String() {
			t.Errorf("%s: %s infers %v%v for output %d, which is %v%v", v.name, e.method, o.Type, o.Shape, i, w.typ, w.shape)
		}
		b.Output(fmt.Sprint("out_", i), o)
	}
	if err := runVector(b, outs); err != nil {
		t.Errorf("%s: %s: %v", v.name, e.method, err)
		return false, "it disagrees"
	}
	return true, note
}

func runVector(b *emitting, outs []*ir.Value) error {
	g, err := b.Build()
	if err != nil {
		return err
	}
	model, err := ir.Encode(g, inline{})
	if err != nil {
		return err
	}
	s, err := env.NewSession(model, "", ort.Options{Name: b.v.name})
	if err != nil {
		return err
	}
	defer s.Close()
	fed := map[string]*ort.Tensor{}
	for name, x := range b.fed {
		if fed[name], err = x.feed(); err != nil {
			return err
		}
		defer fed[name].Close()
	}
	got, err := s.Run(fed)
	if err != nil {
		return err
	}
	for i := range outs {
		o := got[fmt.Sprint("out_", i)]
		defer o.Close()
		if err := b.v.out[i].differs(o); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
	}
	return nil
}
