package onnxfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"lathe/graphgen/onnxpb"
)

// File is an ONNX file, opened.
type File struct {
	Path string
	// Model has no payloads: see Data.
	Model *onnxpb.ModelProto

	file     *os.File
	size     int64
	root     *os.Root
	external map[string]*beside
}

// beside is a file of external data.
type beside struct {
	file *os.File
	size int64
}

// Open reads the model at path. Errors that are the file's are [ErrFormat], one that
// is not there is fs.ErrNotExist.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("onnxfile: %s: there is no such file: %w", path, fs.ErrNotExist)
	} else if err != nil {
		return nil, fmt.Errorf("onnxfile: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, formatError{fmt.Errorf("onnxfile: %s is no regular file", path)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnxfile: %w", err)
	}
	m, err := Decode(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("onnxfile: %s: %w", path, err)
	}
	return &File{Path: path, Model: m, file: f, size: info.Size(), external: map[string]*beside{}}, nil
}

// Close closes all files; tensors cannot be read from then on.
func (f *File) Close() error {
	errs := []error{f.file.Close()}
	for _, b := range f.external {
		errs = append(errs, b.file.Close())
	}
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	f.external = nil
	return errors.Join(errs...)
}

// Data are a tensor's bytes, little-endian, as many as its type and shape say.
func (f *File) Data(t *onnxpb.TensorProto) (*io.SectionReader, error) {
	r, err := f.data(t)
	if err != nil {
		return nil, fmt.Errorf("onnxfile: %s: tensor %q: %w", f.Path, t.Name, err)
	}
	return r, nil
}

func (f *File) data(t *onnxpb.TensorProto) (*io.SectionReader, error) {
	n, ok := Elements(t.Dims)
	if !ok {
		return nil, fmt.Errorf("%v is no shape", t.Dims)
	}
	want, known := PackedBytes(t.DataType, n)
	if !known {
		return nil, fmt.Errorf("%s%v has no bytes", TypeName(t.DataType), t.Dims)
	}
	if t.DataLocation == onnxpb.TensorProto_EXTERNAL {
		return f.outside(t, want)
	}
	if b, ok := unpacked(t); ok {
		if int64(len(b)) != want {
			return nil, fmt.Errorf("it has %d bytes, and %s%v takes %d", len(b), TypeName(t.DataType), t.Dims, want)
		}
		return io.NewSectionReader(bytes.NewReader(b), 0, want), nil
	}
	if have := Payload(t); have != want {
		return nil, fmt.Errorf("it has %d bytes, and %s%v takes %d", have, TypeName(t.DataType), t.Dims, want)
	}
	if want == 0 {
		return io.NewSectionReader(f.file, 0, 0), nil
	}
	at, ok := span(t)
	if !ok || at > f.size-want {
		return nil, errors.New("its bytes are not in one place; save it with raw_data")
	}
	return io.NewSectionReader(f.file, at, want), nil
}

// outside is a tensor in external data.
func (f *File) outside(t *onnxpb.TensorProto, want int64) (*io.SectionReader, error) {
	p, err := Placed(t.ExternalData)
	if err != nil {
		return nil, err
	}
	if p.Length >= 0 && p.Length != want {
		return nil, fmt.Errorf("its external data has %d bytes, and %s%v takes %d", p.Length, TypeName(t.DataType), t.Dims, want)
	}
	b := f.external[p.Location]
	if b == nil {
		if b, err = f.beside(p.Location); err != nil {
			return nil, fmt.Errorf("external data %q: %w", p.Location, err)
		}
		f.external[p.Location] = b
	}
	if want > b.size || p.Offset > b.size-want {
		return nil, fmt.Errorf("external data %q is too short: it has %d bytes, and the tensor takes %d from %d on", p.Location, b.size, want, p.Offset)
	}
	return io.NewSectionReader(b.file, p.Offset, want), nil
}

func (f *File) beside(location string) (*beside, error) {
	if f.root == nil {
		root, err := os.OpenRoot(filepath.Dir(f.Path))
		if err != nil {
			return nil, err
		}
		f.root = root
	}
	size, err := SizeWithin(f.root, location)
	if err != nil {
		return nil, err
	}
	file, err := f.root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, err
	}
	return &beside{file, size}, nil
}

// unpacked are the bytes of a tensor whose values are written as varints, which is
// how small ones may be. Types of less than four bytes have one value each in
// int32_data.
func unpacked(t *onnxpb.TensorProto) (b []byte, ok bool) {
	le := binary.LittleEndian
	switch {
	case len(t.Int64Data) > 0:
		for _, v := range t.Int64Data {
			b = le.AppendUint64(b, uint64(v))
		}
	case len(t.Uint64Data) > 0:
		for _, v := range t.Uint64Data {
			if Bits(t.DataType) == 32 {
				b = le.AppendUint32(b, uint32(v))
			} else {
				b = le.AppendUint64(b, v)
			}
		}
	case len(t.Int32Data) > 0:
		for _, v := range t.Int32Data {
			switch Bits(t.DataType) {
			case 32:
				b = le.AppendUint32(b, uint32(v))
			case 16:
				b = le.AppendUint16(b, uint16(v))
			default:
				b = append(b, byte(v))
			}
		}
	default:
		return nil, false
	}
	return b, true
}
