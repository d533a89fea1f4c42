package autodiff_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/finetune/autodiff"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/provision/provisiontest"
)

// layer is a recurrent layer of drawn operands, those that may be left out only where
// whole is set; lengths of the three rows are 4, 1 and 3.
func (b *building) layer(op string, whole, resetAfter bool) []*ir.Value {
	gates := map[string]int64{"LSTM": 4, "GRU": 3}[op]
	a := ir.RNN{X: b.x(4, 3, 2), W: b.x(1, gates*2, 2), R: b.x(1, gates*2, 2), Hidden: 2}
	if whole {
		a.B, a.H, a.Lens = b.x(1, 2*gates*2), b.x(1, 3, 2), b.Cast(b.Int64s(4, 1, 3), ir.Int32)
	}
	if op == "GRU" {
		y, h := b.GRU(a, resetAfter)
		return []*ir.Value{y, h}
	}
	if whole {
		a.C = b.x(1, 3, 2)
	}
	y, h, c := b.LSTM(a)
	return []*ir.Value{y, h, c}
}

// TestRecurrent: the operators' gradients, against differences of what they are written
// out as.
func TestRecurrent(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, form := range []struct {
			op         string
			resetAfter bool
		}{{"LSTM", false}, {"GRU", false}, {"GRU", true}} {
			t.Run(fmt.Sprint(form, " ", whole), func(t *testing.T) {
				b := newBuilding(10)
				ys := b.layer(form.op, whole, form.resetAfter)
				var equal []*ir.Value
				b.Apart(func() { equal = autodiff.Expand(b.Builder, ys[0].Def()) })
				c := b.differentiateAs(t, ys, equal)
				b.withORT(t, c, b.differences(t, c))
			})
		}
	}
}

// TestTiedLayers: a layer's parameters may be another's too.
func TestTiedLayers(t *testing.T) {
	b := newBuilding(11)
	w, r, x := b.x(1, 8, 2), b.x(1, 8, 2), b.x(3, 2, 2)
	two := func(layer func(a ir.RNN) *ir.Value) *ir.Value {
		return layer(ir.RNN{X: b.Squeeze(layer(ir.RNN{X: x, W: w, R: r, Hidden: 2}), 1), W: w, R: r, Hidden: 2})
	}
	operator := func(a ir.RNN) *ir.Value { y, _, _ := b.LSTM(a); return y }
	written := func(a ir.RNN) *ir.Value { return autodiff.Expand(b.Builder, operator(a).Def())[0] }
	want := map[string]*evaluate.Tensor{}
	var grads [2][]*ir.Value
	for i, y := range []*ir.Value{two(operator), two(written)} {
		var err error
		if grads[i], err = (autodiff.Pass{Of: []*ir.Value{y}, Wrt: b.wrt}).Emit(b.Builder); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range b.wrt {
		name := fmt.Sprint("difference_", i)
		b.Output(name, b.Sub(grads[0][i], grads[1][i]))
		want[name] = evaluate.Zeros(shape(dimsOf(v.Shape))...)
	}
	b.withORT(t, b.finish(t), want)
}

// TestExpand: an operator and what it is written out as agree on ONNX Runtime.
func TestExpand(t *testing.T) {
	for _, op := range []string{"LSTM", "GRU"} {
		for _, resetAfter := range []bool{false, true} {
			b := newBuilding(12)
			ys := b.layer(op, true, resetAfter)
			for i, v := range autodiff.Expand(b.Builder, ys[0].Def()) {
				b.Output(fmt.Sprint("difference_", i), b.Sub(v, ys[i]))
			}
			c := b.finish(t)
			want := map[string]*evaluate.Tensor{}
			for i, y := range ys {
				want[fmt.Sprint("difference_", i)] = evaluate.Zeros(shape(dimsOf(y.Shape))...)
			}
			b.withORT(t, c, want)
		}
	}
}

// TestExpandAgainstONNX: and with ONNX's own vectors.
func TestExpandAgainstONNX(t *testing.T) {
	root := provisiontest.Shared(t, "onnx-node-tests")
	for _, name := range []string{"lstm_defaults", "lstm_with_initial_bias", "gru_defaults", "gru_with_initial_bias", "gru_seq_length"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, "test_"+name)
			var m onnxpb.ModelProto
			read(t, filepath.Join(dir, "model.onnx"), &m)
			node := m.Graph.Node[0]
			b := newBuilding(0)
			var in [4]*ir.Value
			for i := range m.Graph.Input {
				x := tensor(t, filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
				dims := make([]int64, len(x.Shape))
				for k, d := range x.Shape {
					dims[k] = int64(d)
				}
				b.fed[fmt.Sprint("in_", i)] = x
				in[i] = b.Input(fmt.Sprint("in_", i), ir.Float, ir.Fixed(dims...)...)
			}
			a := ir.RNN{X: in[0], W: in[1], R: in[2], B: in[3]}
			for _, attr := range node.Attribute {
				switch attr.Name {
				case "hidden_size":
					a.Hidden = attr.GetI()
				default:
					t.Fatalf("the vector has the attribute %s", attr.Name)
				}
			}
			var ys []*ir.Value
			if node.OpType == "LSTM" {
				y, h, c := b.LSTM(a)
				ys = []*ir.Value{y, h, c}
			} else {
				y, h := b.GRU(a, false)
				ys = []*ir.Value{y, h}
			}
			for i, v := range autodiff.Expand(b.Builder, ys[0].Def()) {
				b.Output(fmt.Sprint("out_", i), v)
			}
			c := b.finish(t)
			given := 0
			for i, out := range node.Output {
				if out == "" {
					continue
				}
				want := tensor(t, filepath.Join(dir, "test_data_set_0", fmt.Sprintf("output_%d.pb", given)))
				given++
				got := b.evaluate(t, c.leading(fmt.Sprint("out_", i)))[fmt.Sprint("out_", i)]
				for k, v := range want.Data {
					if math.Abs(got.Data[k]-v) > 1e-6 {
						t.Fatalf("output %d[%d]: %g, want %g", i, k, got.Data[k], v)
					}
				}
			}
			if given == 0 {
				t.Error("the vector has no outputs")
			}
		})
	}
}

func read(t *testing.T, path string, m proto.Message) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func tensor(t *testing.T, path string) *evaluate.Tensor {
	t.Helper()
	var p onnxpb.TensorProto
	read(t, path, &p)
	n := &onnxpb.NodeProto{OpType: "Constant", Attribute: []*onnxpb.AttributeProto{{Name: "value", T: &p}}}
	out, err := evaluate.Run(n, ir.OpsetONNX, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}
