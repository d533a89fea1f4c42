package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/weights"
)

// Dynamic int8 of ours is right everywhere; two large codes of neighbours are not, and are
// no matter where they are of opposite signs.
func TestSaturationWarning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	c, err := arch.ParseCandidate("gpt2-l1-d32-f64-h2-v64-p32+int8dyn")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err == nil {
		err = weights.Write(t.Context(), path, g, &weights.Random{Seed: 1}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if w := saturationWarning(path, "m"); w != "" {
		t.Error(w)
	}
	f, err := onnxfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, x := range f.Model.Graph.Initializer {
		if x.DataType != int32(onnxpb.TensorProto_INT8) {
			continue
		}
		p, err := onnxfile.Placed(x.ExternalData)
		if err != nil {
			t.Fatal(err)
		}
		n := x.Dims[1]
		for column, k := range []struct {
			at    int64 // row; codes of it and the next, in a column
			codes [2]int8
			warns bool
		}{{0, [2]int8{127, -127}, false}, {1, [2]int8{64, 64}, false}, {4, [2]int8{64, 64}, false}, {4, [2]int8{-64, -65}, true}} {
			file, err := os.OpenFile(filepath.Join(filepath.Dir(path), p.Location), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, code := range k.codes {
				if _, err := file.WriteAt([]byte{byte(code)}, p.Offset+(k.at+int64(i))*n+int64(column)); err != nil {
					t.Fatal(err)
				}
			}
			file.Close()
			if w := saturationWarning(path, "m"); strings.HasPrefix(w, "m: 1 of ") != k.warns {
				t.Errorf("%+v: %q", k, w)
			}
		}
		return
	}
	t.Fatal("it has no int8 weight")
}
