package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/graphgen/inspect"
	"lathe/graphgen/onnxpb"
)

// outside is a float[4] tensor in an external file. Entries are key=value.
func outside(name string, entries ...string) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{Name: name, DataType: 1, Dims: []int64{4}, DataLocation: onnxpb.TensorProto_EXTERNAL}
	for _, e := range entries {
		k, v, _ := strings.Cut(e, "=")
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: k, Value: v})
	}
	return t
}

func withTensors(ts ...*onnxpb.TensorProto) *onnxpb.ModelProto {
	m := graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y")
	m.Graph.Initializer = ts
	return m
}

// folders makes a model's folder, with a file of 64 bytes in it and one beside it.
func folders(t *testing.T) (folder string) {
	t.Helper()
	root := t.TempDir()
	folder = filepath.Join(root, "model")
	for _, dir := range []string{folder, filepath.Join(folder, "sub"), filepath.Join(root, "other")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(folder, "data"), filepath.Join(folder, "sub", "data"), filepath.Join(root, "secret"), filepath.Join(root, "other", "data")} {
		if err := os.WriteFile(path, make([]byte, 64), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"inside": "data", "out": "../secret", "far": filepath.Join(root, "secret"), "door": "../other", "loop": "loop",
	} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Skip(err)
		}
	}
	return folder
}

func TestExternalDataWhole(t *testing.T) {
	folder := folders(t)
	r := read(t, withTensors(
		outside("a", "location=data", "offset=0", "length=16"),
		outside("b", "location=data", "offset=48", "length=16"),
		outside("c", "location=data", "offset=0", "length=16"), // shared bytes are allowed
		outside("d", "location=sub/data"),
		outside("e", "location=inside", "offset=16", "checksum=0"),
		outside("f", "location=sub/../data", "offset=1"),
	), folder)
	if len(r.Problems) > 0 {
		t.Errorf("problems %q", r.Problems)
	}
	want := []inspect.External{
		{Location: "data", Tensors: 3, Needed: 64, Bytes: 64, Whole: true},
		{Location: "sub/data", Tensors: 1, Needed: 16, Bytes: 64, Whole: true},
		{Location: "inside", Tensors: 1, Needed: 32, Bytes: 64, Whole: true},
		{Location: "sub/../data", Tensors: 1, Needed: 17, Bytes: 64, Whole: true},
	}
	if d := cmp.Diff(want, r.External); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	b := r.Initializers[slices.IndexFunc(r.Initializers, func(i inspect.Initializer) bool { return i.Name == "b" })]
	if b.Location != "data" || b.Offset != 48 || b.Bytes != 16 {
		t.Errorf("initializer %+v", b)
	}
}

func TestExternalDataNotWhole(t *testing.T) {
	folder := folders(t)
	for _, tc := range []struct {
		entries []string
		problem string
	}{
		{[]string{"location=gone"}, `external data "gone": there is no such file in the model's folder; tensors that should be in it: 1, with 16 bytes`},
		{[]string{"location=data", "offset=56"}, `external data "data" is too short: it has 64 bytes, and tensor "w" ends at 72`},
		{[]string{"location=data", "offset=100", "length=16"}, `it has 64 bytes, and tensor "w" ends at 116`},
		{[]string{"location=data", "length=12"}, `tensor "w": its external data has 12 bytes, and float[4] takes 16`},
		{[]string{"location=data", "offset=9223372036854775800"}, `begins at 9223372036854775800, where no file reaches`},
		{[]string{"location=data", "offset=-1"}, `the offset of its external data is "-1", want a number of bytes`},
		{[]string{"location=data", "length=many"}, `the length of its external data is "many"`},
		{[]string{"offset=0"}, `tensor "w": its external data has no location`},
		{[]string{"location="}, `tensor "w": its external data has no location`},
		{[]string{"location=../secret"}, `external data "../secret": refused: it points outside the model's folder`},
		{[]string{"location=sub/../../secret"}, "refused: it points outside the model's folder"},
		{[]string{"location=" + filepath.Join(folder, "data")}, "refused: it points outside the model's folder"},
		{[]string{"location=/etc/passwd"}, "refused: it points outside the model's folder"},
		{[]string{"location=out"}, `external data "out": refused: it is a link that leads out of the model's folder`},
		{[]string{"location=far"}, `external data "far": refused: it is a link that leads out of the model's folder`},
		{[]string{"location=door/data"}, `external data "door/data": refused: `},
		{[]string{"location=loop"}, `external data "loop": refused: `},
		{[]string{"location=sub"}, `external data "sub": refused: it is no regular file`},
		{[]string{"location=."}, `external data ".": refused: it is no regular file`},
		{[]string{"location=data\x00"}, `external data "data\x00": `},
		{[]string{"location=data/more"}, `external data "data/more": `},
	} {
		t.Run(fmt.Sprint(tc.entries), func(t *testing.T) {
			r := read(t, withTensors(outside("w", tc.entries...)), folder)
			if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], tc.problem) {
				t.Errorf("problems %q, want %q", r.Problems, tc.problem)
			}
			for _, e := range r.External {
				if e.Whole || e.Bytes != -1 && e.Location != "data" {
					t.Errorf("%+v", e)
				}
			}
		})
	}
	text := outside("w", "location=data")
	text.DataType = 8
	if r := read(t, withTensors(text), folder); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "strings cannot be external data") {
		t.Errorf("strings: %q", r.Problems)
	}
	if r := read(t, withTensors(outside("w", "location=data")), filepath.Join(folder, "none")); len(r.Problems) != 1 {
		t.Errorf("a folder that is not there: %q", r.Problems)
	}
}
