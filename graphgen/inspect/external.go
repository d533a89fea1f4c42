package inspect

import (
	"errors"
	"fmt"
	"math"
	"os"

	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// external checks that every tensor's bytes are there: those in the model by
// their number, those outside by the sizes of the files. No file is opened, and
// none outside the folder is looked at.
func (r *Report) external(folder string, tensors []stored) {
	files := map[string]*externalFile{}
	var order []*externalFile
	for _, t := range tensors {
		if t.DataLocation != onnxpb.TensorProto_EXTERNAL {
			if err := t.inline(); err != nil {
				r.problem("tensor %q: %v", t.Name, err)
			}
			continue
		}
		p, err := onnxfile.Placed(t.ExternalData)
		if err != nil {
			r.problem("tensor %q: %v", t.Name, err)
			continue
		}
		f := files[p.Location]
		if f == nil {
			f = &externalFile{External: External{Location: p.Location, Whole: true}}
			files[p.Location] = f
			order = append(order, f)
		}
		if err := f.add(t, p); err != nil {
			f.Whole = false
			r.problem("tensor %q: %v", t.Name, err)
		}
	}
	if len(order) == 0 {
		return
	}
	root, rootErr := os.OpenRoot(folder)
	if rootErr == nil {
		defer root.Close()
	}
	for _, f := range order {
		err := rootErr
		if err == nil {
			f.Bytes, err = onnxfile.SizeWithin(root, f.Location)
		}
		switch {
		case err != nil:
			f.Bytes, f.Whole = -1, false
			r.problem("external data %q: %v; tensors that should be in it: %d, with %d bytes", f.Location, err, f.Tensors, f.sum)
		case f.Needed > f.Bytes:
			f.Whole = false
			r.problem("external data %q is too short: it has %d bytes, and tensor %q ends at %d", f.Location, f.Bytes, f.last, f.Needed)
		}
		r.External = append(r.External, f.External)
	}
}

// externalFile is a file as the tensors in it describe it.
type externalFile struct {
	External
	sum  int64  // bytes of its tensors
	last string // the tensor that ends last
}

func (f *externalFile) add(t stored, p onnxfile.Place) error {
	f.Tensors++
	n, ok := onnxfile.Elements(t.Dims)
	if !ok {
		return fmt.Errorf("%v is no shape", t.Dims)
	}
	want, known := onnxfile.PackedBytes(t.DataType, n)
	if !known {
		if t.DataType == onnxfile.String {
			return errors.New("strings cannot be external data")
		}
		want = max(p.Length, 0)
	}
	if p.Length >= 0 && p.Length != want {
		return fmt.Errorf("its external data has %d bytes, and %s%v takes %d", p.Length, onnxfile.TypeName(t.DataType), t.Dims, want)
	}
	if p.Offset > math.MaxInt64-want {
		return fmt.Errorf("its external data begins at %d, where no file reaches", p.Offset)
	}
	f.sum += min(want, math.MaxInt64-f.sum)
	if end := p.Offset + want; end > f.Needed || f.last == "" {
		f.Needed, f.last = end, t.Name
	}
	return nil
}

// inline reports what is wrong with the data of a tensor that is in the model.
func (t stored) inline() error {
	n, ok := onnxfile.Elements(t.Dims)
	if !ok {
		return fmt.Errorf("%v is no shape", t.Dims)
	}
	what := fmt.Sprintf("%s%v", onnxfile.TypeName(t.DataType), t.Dims)
	count := func(have int, want int64) error {
		if int64(have) != want {
			return fmt.Errorf("it has %d values, and %s takes %d", have, what, want)
		}
		return nil
	}
	if t.DataType == onnxfile.String {
		return count(len(t.StringData), n)
	}
	want, known := onnxfile.PackedBytes(t.DataType, n)
	if !known {
		return fmt.Errorf("%s is not known", onnxfile.TypeName(t.DataType))
	}
	packed := n // values in int32_data, where types of less than a byte share one
	if bits := onnxfile.Bits(t.DataType); bits < 8 {
		packed = want
	}
	switch {
	case len(t.Int32Data) > 0:
		return count(len(t.Int32Data), packed)
	case len(t.Int64Data) > 0:
		return count(len(t.Int64Data), n)
	case len(t.Uint64Data) > 0:
		return count(len(t.Uint64Data), n)
	}
	if have := onnxfile.Payload(t.TensorProto); have != want {
		return fmt.Errorf("it has %d bytes, and %s takes %d", have, what, want)
	}
	return nil
}
