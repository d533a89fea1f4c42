package ort_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// The node tests of ONNX run through plain runs and come out as they should:
// every element type, scalars, empty tensors, optional names.
func TestNodeCorpus(t *testing.T) {
	dir := provisiontest.Shared(t, "onnx-node-tests")
	models := must(filepath.Glob(filepath.Join(dir, "test_*", "model.onnx")))(t)
	var ran, unsupported, untyped int
	for _, path := range models {
		name := filepath.Base(filepath.Dir(path))
		s, err := env.NewSessionFromFile(path, ort.Options{Name: name})
		if errors.Is(err, ort.ErrUnsupported) {
			unsupported++
			continue
		}
		if err != nil {
			t.Logf("%s: %v", name, err)
			unsupported++
			continue
		}
		switch err := runNode(t, s, filepath.Dir(path)); {
		case errors.Is(err, errUntyped):
			untyped++
		case err != nil && lacking[name]:
			unsupported++
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			ran++
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d ran, %d have operators or versions that the library lacks, %d have types that tensors cannot have here", ran, unsupported, untyped)
	if ran < 500 {
		t.Errorf("only %d of %d ran", ran, len(models))
	}
}

// lacking are tests that ONNX Runtime 1.32.0 itself does not pass.
var lacking = map[string]bool{"test_attention_4d_diff_heads_mask4d_padded_kv": true}

var errUntyped = errors.New("not a type of ours")

func runNode(t *testing.T, s *ort.Session, dir string) error {
	inputs := map[string]*ort.Tensor{}
	defer func() {
		for _, v := range inputs {
			v.Close()
		}
	}()
	for i, in := range s.Inputs() {
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", "input_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return err
		}
		if inputs[in.Name], err = readTensor(b); err != nil {
			delete(inputs, in.Name)
			return err
		}
	}
	out, err := s.Run(inputs)
	if err != nil {
		if errors.Is(err, ort.ErrUnsupported) {
			return errUntyped
		}
		return err
	}
	for i, o := range s.Outputs() {
		got := out[o.Name]
		defer got.Close()
		b, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", "output_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return err
		}
		want, err := readTensor(b)
		if err != nil {
			return err
		}
		defer want.Close()
		if err := same(got, want); err != nil {
			return errors.New("output " + o.Name + ": " + err.Error())
		}
	}
	return nil
}

func same(got, want *ort.Tensor) error {
	if got.Type() != want.Type() || got.Elements() != want.Elements() || len(got.Shape()) != len(want.Shape()) {
		return errors.New("type or shape differs")
	}
	for i, d := range want.Shape() {
		if got.Shape()[i] != d {
			return errors.New("shape differs")
		}
	}
	for i := range want.Elements() {
		g, w := number(got, i), number(want, i)
		if math.IsNaN(g) && math.IsNaN(w) || g == w {
			continue
		}
		tol := 1e-3 * math.Max(1, math.Abs(w)) // the tolerance of ONNX's own runner
		if want.Type() == ort.Float16 || want.Type() == ort.BFloat16 {
			tol *= 10
		}
		if !(math.Abs(g-w) <= tol) {
			return errors.New("element " + strconv.Itoa(i) + " is " + strconv.FormatFloat(g, 'g', -1, 64) + ", want " + strconv.FormatFloat(w, 'g', -1, 64))
		}
	}
	return nil
}

func number(t *ort.Tensor, i int) float64 {
	switch t.Type() {
	case ort.Float32:
		return float64(ort.Data[float32](t)[i])
	case ort.Float64:
		return ort.Data[float64](t)[i]
	case ort.Int8:
		return float64(ort.Data[int8](t)[i])
	case ort.Uint8:
		return float64(ort.Data[uint8](t)[i])
	case ort.Int16:
		return float64(ort.Data[int16](t)[i])
	case ort.Uint16:
		return float64(ort.Data[uint16](t)[i])
	case ort.Int32:
		return float64(ort.Data[int32](t)[i])
	case ort.Uint32:
		return float64(ort.Data[uint32](t)[i])
	case ort.Int64:
		return float64(ort.Data[int64](t)[i])
	case ort.Uint64:
		return float64(ort.Data[uint64](t)[i])
	case ort.Bool:
		if ort.Data[bool](t)[i] {
			return 1
		}
		return 0
	case ort.BFloat16:
		return float64(math.Float32frombits(uint32(ort.Data[ort.Half](t)[i]) << 16))
	}
	h := ort.Data[ort.Half](t)[i]
	exp, frac := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(frac, -24)
	switch {
	case exp == 31 && frac != 0:
		v = math.NaN()
	case exp == 31:
		v = math.Inf(1)
	case exp > 0:
		v = math.Ldexp(1024+frac, exp-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

// readTensor reads a TensorProto of a test's data.
func readTensor(b []byte) (*ort.Tensor, error) {
	var shape []int64
	var typ ort.Type
	var raw []byte
	var have bool
	for len(b) > 0 {
		num, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, wire, b)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		val := b[:size]
		b = b[size:]
		switch {
		case num == 1 && wire == protowire.BytesType:
			packed, _ := protowire.ConsumeBytes(val)
			for len(packed) > 0 {
				v, n := protowire.ConsumeVarint(packed)
				shape, packed = append(shape, int64(v)), packed[n:]
			}
		case num == 1:
			v, _ := protowire.ConsumeVarint(val)
			shape = append(shape, int64(v))
		case num == 2:
			v, _ := protowire.ConsumeVarint(val)
			typ = ort.Type(v)
		case num == 9:
			raw, _ = protowire.ConsumeBytes(val)
			have = true
		}
	}
	elements, err := ort.Shape(shape).Elements()
	if err != nil {
		return nil, err
	}
	if typ.Size() == 0 || !have && elements > 0 {
		return nil, errUntyped
	}
	if len(shape) == 0 {
		return scalar(typ, raw)
	}
	buf, err := ort.NewBuffer(typ, elements)
	if err != nil {
		return nil, err
	}
	defer buf.Close()
	copy(buf.Bytes(), raw)
	return buf.View(shape...)
}

func scalar(typ ort.Type, raw []byte) (*ort.Tensor, error) {
	switch typ {
	case ort.Float32:
		return ort.Scalar(math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	case ort.Float64:
		return ort.Scalar(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	case ort.Int64:
		return ort.Scalar(int64(binary.LittleEndian.Uint64(raw)))
	case ort.Int32:
		return ort.Scalar(int32(binary.LittleEndian.Uint32(raw)))
	case ort.Uint8:
		return ort.Scalar(raw[0])
	case ort.Int8:
		return ort.Scalar(int8(raw[0]))
	case ort.Bool:
		return ort.Scalar(raw[0] != 0)
	}
	return nil, errUntyped
}
