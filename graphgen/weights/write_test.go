package weights

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"

	"google.golang.org/protobuf/proto"
)

func TestWriteAlignsAndKeepsWeights(t *testing.T) {
	g := toy(t)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := Write(context.Background(), path, g, &Random{Seed: 3}, nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path + "_data")
	if err != nil {
		t.Fatal(err)
	}
	external := 0
	for _, init := range m.Graph.Initializer {
		if init.DataLocation != onnxpb.TensorProto_EXTERNAL {
			continue
		}
		external++
		var offset, length int64
		for _, kv := range init.ExternalData {
			switch kv.Key {
			case "location":
				if kv.Value != "model.onnx_data" {
					t.Errorf("%s is in %s", init.Name, kv.Value)
				}
			case "offset":
				offset = atoi(kv.Value)
			case "length":
				length = atoi(kv.Value)
			}
		}
		if offset%Align != 0 || offset+length > int64(len(data)) {
			t.Errorf("%s is at %d, length %d, in %d bytes", init.Name, offset, length, len(data))
		}
		if init.Name == "w1" {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(data[offset:])); v == 0 || math.Abs(float64(v)) > 0.2 {
				t.Errorf("w1 begins with %g, not a draw of deviation 0.02", v)
			}
		}
	}
	if external != 4 {
		t.Errorf("%d external tensors, want the 4 matrices", external)
	}
}

func atoi(s string) (n int64) {
	for _, c := range s {
		n = 10*n + int64(c-'0')
	}
	return n
}

// failing is a source that breaks at its third parameter.
type failing struct {
	Random
	n int
}

var errBroken = errors.New("broken source")

func (f *failing) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	if f.n++; f.n == 3 {
		return errBroken
	}
	return f.Random.WriteParam(ctx, w, p)
}

func TestWriteLeavesNothingHalfDone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), path, toy(t), &failing{}, nil); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "before" {
		t.Error("a failed write replaced what was there")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("a failed write left %v", list)
	}
}

func TestQuantizedHoldsTheSameWeights(t *testing.T) {
	// A random weight is drawn by its name: the quantized form in one graph is that
	// of the float form in another.
	r := &Random{Seed: 5}
	const k, n, block = 48, 40, 32
	float := map[int64][]float32{}
	err := r.rows("q.weight", ir.Init{Kind: ir.Normal, Std: 0.02}, k, n, func(i int64, row []float32) error {
		float[i] = append([]float32(nil), row...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := toy(t).Params[0]
	q, err := r.quantize(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	col := make([]float32, k)
	blocks := int(p.Quant.Blocks())
	for j := range n {
		Dequantize4(q.data[j*blocks*block/2:], q.scales[j*blocks:], block, col)
		for i := range k {
			if d := math.Abs(float64(col[i] - float[int64(i)][j])); d > float64(q.scales[j*blocks+i/block])*0.5001 {
				t.Fatalf("weight [%d, %d] is off by %g", i, j, d)
			}
		}
	}
}
