package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"lathe/graphgen/onnxpb"
)

// place is where a tensor's bytes are, outside the model.
type place struct {
	location string
	offset   int64
	length   int64 // -1: not given
}

func placed(entries []*onnxpb.StringStringEntryProto) (place, error) {
	p := place{length: -1}
	for _, kv := range entries {
		var err error
		switch kv.Key {
		case "location":
			p.location = kv.Value
		case "offset":
			p.offset, err = size(kv)
		case "length":
			p.length, err = size(kv)
		}
		if err != nil {
			return p, err
		}
	}
	if p.location == "" {
		return p, errors.New("its external data has no location")
	}
	return p, nil
}

func size(kv *onnxpb.StringStringEntryProto) (int64, error) {
	n, err := strconv.ParseInt(kv.Value, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the %s of its external data is %q, want a number of bytes", kv.Key, kv.Value)
	}
	return n, nil
}

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
		p, err := placed(t.ExternalData)
		if err != nil {
			r.problem("tensor %q: %v", t.Name, err)
			continue
		}
		f := files[p.location]
		if f == nil {
			f = &externalFile{External: External{Location: p.location, Whole: true}}
			files[p.location] = f
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
			f.Bytes, err = sizeWithin(root, f.Location)
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

func (f *externalFile) add(t stored, p place) error {
	f.Tensors++
	n, ok := elements(t.Dims)
	if !ok {
		return fmt.Errorf("%v is no shape", t.Dims)
	}
	want, known := packedBytes(t.DataType, n)
	if !known {
		if t.DataType == stringType {
			return errors.New("strings cannot be external data")
		}
		want = max(p.length, 0)
	}
	if p.length >= 0 && p.length != want {
		return fmt.Errorf("its external data has %d bytes, and %s%v takes %d", p.length, typeName(t.DataType), t.Dims, want)
	}
	if p.offset > math.MaxInt64-want {
		return fmt.Errorf("its external data begins at %d, where no file reaches", p.offset)
	}
	f.sum += min(want, math.MaxInt64-f.sum)
	if end := p.offset + want; end > f.Needed || f.last == "" {
		f.Needed, f.last = end, t.Name
	}
	return nil
}

// sizeWithin is the size of a file that must be in root.
func sizeWithin(root *os.Root, location string) (int64, error) {
	name := filepath.FromSlash(location)
	if !filepath.IsLocal(name) {
		return 0, errors.New("refused: it points outside the model's folder")
	}
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errors.New("there is no such file in the model's folder")
	}
	if err != nil {
		if link, lerr := root.Lstat(name); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return 0, fmt.Errorf("refused: it is a link that leads out of the model's folder (%w); put the file itself there", err)
		}
		return 0, fmt.Errorf("refused: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("refused: it is no regular file")
	}
	return info.Size(), nil
}

// inline reports what is wrong with the data of a tensor that is in the model.
func (t stored) inline() error {
	n, ok := elements(t.Dims)
	if !ok {
		return fmt.Errorf("%v is no shape", t.Dims)
	}
	what := fmt.Sprintf("%s%v", typeName(t.DataType), t.Dims)
	count := func(have int, want int64) error {
		if int64(have) != want {
			return fmt.Errorf("it has %d values, and %s takes %d", have, what, want)
		}
		return nil
	}
	if t.DataType == stringType {
		return count(len(t.StringData), n)
	}
	want, known := packedBytes(t.DataType, n)
	if !known {
		return fmt.Errorf("%s is not known", typeName(t.DataType))
	}
	packed := n // values in int32_data, where types of less than a byte share one
	if bits := elementTypes[t.DataType].bits; bits < 8 {
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
	if have := skippedBytes(t.TensorProto); have != want {
		return fmt.Errorf("it has %d bytes, and %s takes %d", have, what, want)
	}
	return nil
}
