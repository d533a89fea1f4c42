package inspect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/onnxfile"
)

// ErrInput marks a file that is not there, or is no ONNX model.
var ErrInput = errors.New("no ONNX model")

type inputError struct{ error }

func (inputError) Is(target error) bool { return target == ErrInput }
func (e inputError) Unwrap() error      { return e.error }

// File describes the model at path. Its external data is looked for in the
// model's folder and nowhere else. Of a file of Lathe's, its sizes alone are read; in any
// other a decoder is looked for, for which some weights are.
func File(path string) (*Report, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, inputError{fmt.Errorf("inspect: %s: there is no such file", path)}
	} else if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	switch {
	case info.IsDir():
		const usual = "model.onnx"
		hint := "give the ONNX file in it"
		if _, err := os.Stat(filepath.Join(path, usual)); err == nil {
			hint = "did you mean " + filepath.Join(path, usual) + "?"
		}
		return nil, inputError{fmt.Errorf("inspect: %s: it is a folder; %s", path, hint)}
	case !info.Mode().IsRegular():
		return nil, inputError{fmt.Errorf("inspect: %s: it is no regular file", path)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	r, err := Read(f, info.Size(), filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("inspect: %s: %w", path, err)
	}
	r.Path = path
	if r.Candidate == nil && len(r.Cycles) == 0 {
		r.recognised()
	}
	return r, nil
}

// Read describes a model of size bytes. Folder is where its external data has to
// be.
func Read(src io.ReaderAt, size int64, folder string) (*Report, error) {
	m, err := onnxfile.Decode(src, size)
	if errors.Is(err, onnxfile.ErrFormat) {
		return nil, inputError{err}
	} else if err != nil {
		return nil, err
	}
	r := &Report{
		Bytes: size, IRVersion: m.IrVersion, Producer: m.ProducerName, ProducerVersion: m.ProducerVersion,
		Domain: m.Domain, ModelVersion: m.ModelVersion, GraphName: m.Graph.Name,
		// Lists that are empty are so in JSON, not null.
		Opsets: []Opset{}, Metadata: []Property{}, Operators: []Operator{}, Cycles: [][]string{},
		Inputs: []Value{}, Outputs: []Value{}, Totals: []TypeTotal{}, Initializers: []Initializer{},
		External: []External{}, Problems: []string{},
	}
	for _, o := range m.OpsetImport {
		r.Opsets = append(r.Opsets, Opset{o.Domain, o.Version})
	}
	for _, kv := range m.MetadataProps {
		r.Metadata = append(r.Metadata, Property{kv.Key, kv.Value})
	}
	initialized := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		initialized[t.Name] = true
	}
	for _, v := range m.Graph.Input {
		in := valueOf(v)
		in.Default = initialized[v.Name]
		r.Inputs = append(r.Inputs, in)
	}
	for _, v := range m.Graph.Output {
		r.Outputs = append(r.Outputs, valueOf(v))
	}
	if len(m.Graph.Output) == 0 {
		r.problem("the graph has no outputs")
	}
	s := survey(m)
	s.report(r)
	r.checkImports(s)
	if err := r.topology(m, s); err != nil {
		return nil, err
	}
	r.external(folder, s.tensors)
	r.candidate(m)
	return r, nil
}

func (r *Report) problem(format string, args ...any) {
	const most = 50 // a file that is broken throughout is broken enough
	switch {
	case len(r.Problems) < most:
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	case len(r.Problems) == most:
		r.Problems = append(r.Problems, "and more")
	}
}

// checkImports looks for domains that are used and not imported. Nodes of functions
// are left out: a function has imports of its own.
func (r *Report) checkImports(s *surveyed) {
	imported := map[string]bool{}
	for _, o := range r.Opsets {
		imported[plainDomain(o.Domain)] = true
	}
	if len(imported) == 0 {
		return // the oldest files have none
	}
	missing := map[string]bool{}
	for op := range s.top {
		if !imported[op.domain] {
			missing[op.domain] = true
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(missing)) {
		r.problem("operators of the domain %q are called, and the model does not import it", domain)
	}
}

// plainDomain is a domain as this package writes it: ONNX's own can be given as
// the empty name and as ai.onnx.
func plainDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}
