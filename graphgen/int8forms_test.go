package graphgen_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/ort"
)

// unsigned is a model of one DynamicQuantizeMatMul with the same weight as uint8 and zero
// points of 128, which no graph of ours has.
func unsigned(b *testing.B, model []byte) []byte {
	b.Helper()
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(model, &m); err != nil {
		b.Fatal(err)
	}
	zeros := &onnxpb.TensorProto{Name: "zeros", DataType: int32(onnxpb.TensorProto_UINT8)}
	for _, t := range m.Graph.Initializer {
		if t.DataType == int32(onnxpb.TensorProto_INT8) {
			t.DataType = int32(onnxpb.TensorProto_UINT8)
			zeros.Dims, zeros.RawData = t.Dims[1:], slices.Repeat([]byte{128}, int(t.Dims[1]))
			for i := range t.RawData {
				t.RawData[i] ^= 128
			}
		}
	}
	m.Graph.Initializer = append(m.Graph.Initializer, zeros)
	for _, n := range m.Graph.Node {
		if n.OpType == "DynamicQuantizeMatMul" {
			n.Input = append(n.Input, zeros.Name)
		}
	}
	out, err := proto.Marshal(&m)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkDynamicInt8Forms is what the same product takes with uint8 weights over what it
// takes with int8 ones, in turns: the quartiles of the ratios of neighbours, and the ratio
// of the fastest, which a busy machine disturbs least.
func BenchmarkDynamicInt8Forms(b *testing.B) {
	for _, d := range []struct{ rows, k, n int64 }{{1, 768, 768}, {64, 768, 768}, {1, 1024, 4096}, {64, 1024, 4096}, {1, 4096, 1024}, {64, 4096, 1024}} {
		b.Run(fmt.Sprintf("%dx%dx%d", d.rows, d.k, d.n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, uint64(d.k)))
			q := ir.Quant{Weight: "w", K: d.k, N: d.n, Bits: 8, Transposed: true}
			_, parts := randomWeight(rng, q)
			one := ir.NewBuilder("one")
			x := one.Input("x", ir.Float, ir.S("rows"), ir.D(d.k))
			one.Output("y", one.DynamicQuantizeMatMul(x, one.QuantParam("w", ir.Init{}, q), nil))
			g, err := one.Build()
			if err != nil {
				b.Fatal(err)
			}
			model, err := ir.Encode(g, given(parts))
			if err != nil {
				b.Fatal(err)
			}
			xt, err := ort.NewTensor([]int64{d.rows, d.k}, floats(rng, int(d.rows*d.k)))
			if err != nil {
				b.Fatal(err)
			}
			defer xt.Close()
			var sessions [2]*ort.Session
			for i, m := range [][]byte{model, unsigned(b, model)} {
				if sessions[i], err = env.NewSession(m, "", ort.Options{Threads: 1}); err != nil {
					b.Fatal(err)
				}
				defer sessions[i].Close()
			}
			var ratios []float64
			var took [2][]float64
			inner := max(1, 1<<26/(d.rows*d.k*d.n)) // some milliseconds
			for first := 0; b.Loop(); first = 1 - first {
				var ns [2]float64
				for _, i := range []int{first, 1 - first} {
					start := time.Now()
					for range inner {
						out, err := sessions[i].Run(map[string]*ort.Tensor{"x": xt}, "y")
						if err != nil {
							b.Fatal(err)
						}
						out["y"].Close()
					}
					ns[i] = float64(time.Since(start)) / float64(inner)
				}
				ratios = append(ratios, ns[1]/ns[0])
				took[0], took[1] = append(took[0], ns[0]), append(took[1], ns[1])
			}
			slices.Sort(ratios)
			b.ReportMetric(0, "ns/op") // of both, and of many runs
			b.ReportMetric(slices.Min(took[0])/1e3, "us-int8")
			b.ReportMetric(slices.Min(took[1])/slices.Min(took[0]), "fastest")
			for i, name := range []string{"q1", "median", "q3"} {
				b.ReportMetric(ratios[len(ratios)*(i+1)/4], name)
			}
		})
	}
}
