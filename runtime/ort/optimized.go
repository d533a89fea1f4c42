package ort

import (
	"errors"
	"fmt"
	"path/filepath"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Session configuration keys for what is saved.
const (
	keySavedData    = "session.optimized_model_external_initializers_file_name"
	keySavedDataMin = "session.optimized_model_external_initializers_min_size_in_bytes"
)

// savedDataMin is the size from which on a tensor of a saved graph goes to its file of
// external data: what is smaller is of shapes and constants.
const savedDataMin = "1024"

// saveOptimized has the library save the graph that it made of a model.
func saveOptimized(so *ortgo.SessionOptions, path string) error {
	return errors.Join(
		so.SetOptimizedModelFilePath(path),
		// The name is taken relative to the model's folder.
		so.AddSessionConfigEntry(keySavedData, filepath.Base(path)+"_data"),
		so.AddSessionConfigEntry(keySavedDataMin, savedDataMin),
	)
}

// SaveOptimized writes the graph that the library makes of the model in the file from,
// for this processor and this version of the library, to the file to, and its weights
// beside it, to + "_data". The folder has to be there.
func (e *Env) SaveOptimized(from, to string, opts Options) error {
	if to == "" {
		return errors.New("ort: no file to save the optimized graph to")
	}
	opts.OptimizedPath = to
	s, err := e.NewSessionFromFile(from, opts)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("ort: %s: %w", to, err)
	}
	return nil
}
