package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// file is a file of a header, as text, and that many bytes of data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func read(b []byte) (*File, error) {
	return Read(bytes.NewReader(b), int64(len(b)), "a.safetensors")
}

const two = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1,3],"data_offsets":[8,14]},"__metadata__":{"format":"pt"}}`

func TestRead(t *testing.T) {
	f, err := read(file(two+"  ", 14))
	if err != nil {
		t.Fatal(err)
	}
	start := int64(lengthBytes + len(two) + 2)
	want := &File{
		Tensors:  []Tensor{{"a", F32, []int64{2}, start}, {"b", BF16, []int64{1, 3}, start + 8}},
		Metadata: map[string]string{"format": "pt"},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, want %+v", f, want)
	}
	for _, ok := range [][]byte{
		file(`{}`, 0),
		file(`{"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}`, 8),
		// Empty tensors lie where others begin.
		file(`{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}}`, 4),
	} {
		if _, err := read(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
}

var bad = []struct {
	file []byte
	says string
}{
	{nil, "it has 0 bytes"},
	{[]byte("PK\x03\x04"), "it has 4 bytes"},
	{binary.LittleEndian.AppendUint64(nil, 1<<40), "its header claims 1099511627776 bytes; at most 100000000"},
	{binary.LittleEndian.AppendUint64(nil, 1<<63), "its header claims 9223372036854775808 bytes"},
	{binary.LittleEndian.AppendUint64(nil, 1<<20), "its header claims 1048576 bytes, and 0 follow: it is cut short"},
	{file(``, 0), "the header ends within its JSON"},
	{file(`[]`, 0), "a JSON object is wanted, not ["},
	{file(`{"a":`, 0), "the header ends within its JSON"},
	{file(`{} {}`, 0), "2 bytes follow the JSON object"},
	{file(`{"a":1}`, 0), `tensor "a"`},
	{file(`{"a":{}}`, 0), `tensor "a" has type "", which is not known`},
	{file(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}`, 1), `tensor "a" has type "F4"`},
	{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "data_offsets has 1 numbers"},
	{file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}`, 6), `tensor "a"`},
	{file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "shape [-1] is none"},
	{file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "shape [4294967296, 4294967296] is none"},
	{file(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), "is none"},
	{file(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4), "17 dimensions"},
	{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "bytes 4 to 0 are no range"},
	{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "bytes -4 to 0 are no range"},
	{file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "F32 of shape [3] take 12 bytes, and it has 0 to 8, which are 8"},
	{file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16), `"a" is given twice`},
	{file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), `tensor "b" begins at byte 4 of the data, within tensor "a", which ends at 8`},
	{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `bytes 0 to 4 of the data, before tensor "a", belong to no tensor`},
	{file(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 12), `tensor "a" ends at byte 16 of the data, of which there are 12: it is cut short`},
	{file(two, 20), "its tensors take 14 bytes of data, and it has 20"},
	{file(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
}

func TestBadFiles(t *testing.T) {
	for _, c := range bad {
		_, err := read(c.file)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "safetensors: a.safetensors: ") {
			t.Errorf("%.100q: %v, want %q", c.file, err, c.says)
		}
	}
}

// TestWrittenReadsBack: any tensors, in any order.
func TestWrittenReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.String(), 0, 8, rapid.ID[string]).Draw(t, "names")
		var tensors []Tensor
		seen := map[string]bool{metadataKey: true}
		for _, n := range names {
			if n = strings.ToValidUTF8(n, ""); seen[n] {
				continue
			}
			seen[n] = true
			tensors = append(tensors, Tensor{
				Name:  n,
				Type:  rapid.SampledFrom([]DType{F32, F16, BF16, "I64", "BOOL"}).Draw(t, "type"),
				Shape: rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 3).Draw(t, "shape"),
			})
		}
		metadata := rapid.MapOfN(rapid.StringMatching(`[a-z]+`), rapid.String(), 0, 2).Draw(t, "metadata")
		bytesOf := map[string][]byte{}
		var out bytes.Buffer
		err := Write(&out, metadata, tensors, func(w io.Writer, x Tensor) error {
			b := rapid.SliceOfN(rapid.Byte(), int(x.Bytes()), int(x.Bytes())).Draw(t, "data")
			bytesOf[x.Name] = b
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		f, err := read(out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%q", err, out.Bytes())
		}
		if len(f.Tensors) != len(tensors) {
			t.Fatalf("%d tensors came back as %d", len(tensors), len(f.Tensors))
		}
		for _, x := range f.Tensors {
			if x.Bytes() > 0 && !bytes.Equal(out.Bytes()[x.Offset:x.Offset+x.Bytes()], bytesOf[x.Name]) {
				t.Fatalf("tensor %q has other bytes", x.Name)
			}
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	nothing := func(io.Writer, Tensor) error { return nil }
	broken := errors.New("broken")
	for says, c := range map[string]struct {
		tensors []Tensor
		data    func(io.Writer, Tensor) error
	}{
		"takes 4 bytes, 0 were written": {[]Tensor{{Name: "a", Type: F32, Shape: []int64{1}}}, nothing},
		"given twice":                   {[]Tensor{{Name: "a", Type: F32}, {Name: "a", Type: F32}}, nothing},
		`"__metadata__"`:                {[]Tensor{{Name: metadataKey, Type: F32}}, nothing},
		"cannot be written":             {[]Tensor{{Name: "a", Type: "F5"}}, nothing},
		"tensor a: broken":              {[]Tensor{{Name: "a", Type: F32}}, func(io.Writer, Tensor) error { return broken }},
	} {
		if err := Write(io.Discard, nil, c.tensors, c.data); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func ExampleWrite() {
	var file bytes.Buffer
	tensors := []Tensor{{Name: "norm.weight", Type: F32, Shape: []int64{2}}}
	err := Write(&file, map[string]string{"format": "pt"}, tensors, func(w io.Writer, t Tensor) error {
		return binary.Write(w, binary.LittleEndian, []float32{1, 1})
	})
	if err != nil {
		fmt.Println(err)
	}
	f, err := Read(bytes.NewReader(file.Bytes()), int64(file.Len()), "norm.safetensors")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(f.Tensors[0].Name, f.Tensors[0].Type, Dims(f.Tensors[0].Shape))
	// Output: norm.weight F32 [2]
}

func FuzzRead(f *testing.F) {
	for _, c := range bad {
		f.Add(c.file)
	}
	f.Add(file(two, 14))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := read(data)
		if err != nil {
			return
		}
		end := int64(-1)
		for _, x := range got.Tensors {
			if end >= 0 && x.Offset != end {
				t.Fatalf("tensor %q begins at %d, the one before ends at %d", x.Name, x.Offset, end)
			}
			end = x.Offset + x.Bytes()
			if x.Offset < lengthBytes || end > int64(len(data)) {
				t.Fatalf("tensor %q is at %d to %d of %d bytes", x.Name, x.Offset, end, len(data))
			}
		}
	})
}
