package onnxfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"lathe/graphgen/onnxpb"
)

// Place is where a tensor's bytes are, outside the model.
type Place struct {
	Location string
	Offset   int64
	Length   int64 // -1: not given
}

// Placed reads what a tensor says of its external data.
func Placed(entries []*onnxpb.StringStringEntryProto) (Place, error) {
	p := Place{Length: -1}
	for _, kv := range entries {
		var err error
		switch kv.Key {
		case "location":
			p.Location = kv.Value
		case "offset":
			p.Offset, err = size(kv)
		case "length":
			p.Length, err = size(kv)
		}
		if err != nil {
			return p, err
		}
	}
	if p.Location == "" {
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

// SizeWithin is the size of a file that must be in root.
func SizeWithin(root *os.Root, location string) (int64, error) {
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
