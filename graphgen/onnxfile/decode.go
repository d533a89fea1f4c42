package onnxfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxpb"
)

// MaxBytes is the most that one ONNX file can have: protobuf, its format, ends
// there. Larger models keep their weights in external files.
const MaxBytes = math.MaxInt32

// ErrFormat marks what is no ONNX model.
var ErrFormat = errors.New("no ONNX model")

type formatError struct{ error }

func (formatError) Is(target error) bool { return target == ErrFormat }
func (e formatError) Unwrap() error      { return e.error }

// Decode reads a model of size bytes without the payloads of its tensors.
func Decode(src io.ReaderAt, size int64) (*onnxpb.ModelProto, error) {
	switch {
	case size == 0:
		return nil, formatError{errors.New("the file is empty")}
	case size > MaxBytes:
		return nil, formatError{fmt.Errorf("%d bytes, and protobuf, the format of ONNX files, ends at %d (2 GB): no reader takes it; weights of a model this large belong in external data", size, MaxBytes)}
	}
	skimmed, err := skim(src, size)
	var broken *fs.PathError
	if errors.As(err, &broken) {
		return nil, err // the disk, not the model
	} else if err != nil {
		head := make([]byte, min(size, 64))
		n, _ := src.ReadAt(head, 0)
		if what := otherFormat(head[:n]); what != "" {
			return nil, formatError{fmt.Errorf("it is no ONNX model but %s", what)}
		}
		return nil, formatError{fmt.Errorf("it is no ONNX model, or it is cut short: %w", err)}
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(skimmed, m); err != nil {
		return nil, formatError{fmt.Errorf("it is no ONNX model: %w", err)}
	}
	if m.Graph == nil {
		return nil, formatError{errors.New("it is no ONNX model: there is no graph in it")}
	}
	return m, nil
}

// otherFormat names what is often found where an ONNX file is expected.
func otherFormat(head []byte) string {
	for _, f := range []struct {
		at          int
		magic, name string
	}{
		{0, "version https://git-lfs", "a pointer to a file that Git LFS has not fetched yet; git lfs pull fetches it"},
		{0, "PK\x03\x04", "a zip archive, as PyTorch's checkpoints are"},
		{0, "\x1f\x8b", "a gzip archive; unpack it"},
		{0, "\x89HDF", "an HDF5 file"},
		{0, "GGUF", "a GGUF file"},
		{0, "<!DOCTYPE", "a web page"},
		{0, "<html", "a web page"},
		{4, "ORTM", "a model in ONNX Runtime's own ORT format"},
		{8, "{\"", "a safetensors file"},
	} {
		if len(head) >= f.at && bytes.HasPrefix(head[f.at:], []byte(f.magic)) {
			return f.name
		}
	}
	return ""
}
