package inspect

import "encoding/json"

// Report is what is in a model's file.
type Report struct {
	Path            string     `json:"path"`
	Bytes           int64      `json:"bytes"` // of the file, external data apart
	IRVersion       int64      `json:"ir_version"`
	Opsets          []Opset    `json:"opset_imports"`
	Producer        string     `json:"producer"`
	ProducerVersion string     `json:"producer_version"`
	Domain          string     `json:"domain,omitempty"`
	ModelVersion    int64      `json:"model_version,omitempty"`
	Metadata        []Property `json:"metadata"`
	GraphName       string     `json:"graph_name"`

	Nodes     int        `json:"nodes"` // of the top graph
	Operators []Operator `json:"operators"`
	Subgraphs int        `json:"subgraphs"` // bodies of If, Loop, Scan and their like
	Functions int        `json:"functions"` // local to the model; they are called like operators

	Values int        `json:"values"` // of the top graph: what nodes read or make
	Edges  int        `json:"edges"`  // from each output of a node to each of its inputs, once
	Depth  int        `json:"depth"`  // nodes on the longest path
	Cycles [][]string `json:"cycles"` // values that depend on each other: none in a valid model

	Inputs  []Value `json:"inputs"`
	Outputs []Value `json:"outputs"`

	Totals             []TypeTotal   `json:"initializers_by_type"` // most bytes first
	Initializers       []Initializer `json:"initializers"`         // largest first; those of subgraphs too
	SparseInitializers int           `json:"sparse_initializers,omitempty"`
	// Constants are the tensors that nodes carry as attributes, in all graphs.
	Constants TypeTotal `json:"constants"`

	External  []External `json:"external_data"`
	Candidate *Candidate `json:"candidate,omitempty"`
	Problems  []string   `json:"problems"`

	// Graph is the top graph as onnx-go reads it; nil if it has no nodes.
	Graph *Graph `json:"-"`
}

// Opset is a set of operators that the model imports.
type Opset struct {
	Domain  string `json:"domain"` // "" is ONNX's own
	Version int64  `json:"version"`
}

// Property is an entry of the model's metadata.
type Property struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Operator is how often an operator is called.
type Operator struct {
	Domain string `json:"domain"`
	Op     string `json:"op"`
	Count  int    `json:"count"`        // in the top graph, by onnx-go's reading
	Nested int    `json:"in_subgraphs"` // in subgraphs and functions
}

// Value is an input or an output.
type Value struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Shape is nil where the file does not even say the rank.
	Shape []Dim `json:"shape"`
	// Default: an initializer of the same name is used where the input is not fed.
	Default bool `json:"default,omitempty"`
}

// Dim is a dimension: a number, a symbol, or unknown (-1 without a symbol). JSON
// has a number, a string or null.
type Dim struct {
	N      int64
	Symbol string
}

// MarshalJSON writes a number, a string or null.
func (d Dim) MarshalJSON() ([]byte, error) {
	switch {
	case d.Symbol != "":
		return json.Marshal(d.Symbol)
	case d.N < 0:
		return []byte("null"), nil
	}
	return json.Marshal(d.N)
}

// TypeTotal sums tensors of one element type.
type TypeTotal struct {
	Type     string `json:"type,omitempty"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"`
}

// Initializer is a tensor that the model carries.
type Initializer struct {
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	Shape    []int64 `json:"shape"`
	Elements int64   `json:"elements"`
	Bytes    int64   `json:"bytes"`
	// Location is the external file that holds it, as the model writes it; "" is
	// the model itself.
	Location string `json:"location,omitempty"`
	Offset   int64  `json:"offset,omitempty"`
	Subgraph bool   `json:"in_subgraph,omitempty"`
}

// External is a file that holds tensors of the model.
type External struct {
	Location string `json:"location"` // as the model writes it
	Tensors  int    `json:"tensors"`
	Needed   int64  `json:"needed_bytes"` // where its last tensor ends
	Bytes    int64  `json:"bytes"`        // of the file; -1 if it is not there or was refused
	Whole    bool   `json:"whole"`
}

// Candidate is what a file of Lathe's says it is, and whether that is so; or the model
// that another's file was recognised to be.
type Candidate struct {
	Spec string `json:"spec"` // as the metadata has it
	// Recognised is who wrote a file that is not Lathe's (package recover has the kinds):
	// the graph computes Spec. Notes say what that leaves open.
	Recognised string   `json:"recognised,omitempty"`
	Notes      []string `json:"notes,omitempty"`
	// Name is the candidate, build included, whose graph the file has; "" if none was
	// found. Of a recognised model it is the Spec's.
	Name          string `json:"name,omitempty"`
	Mode          string `json:"mode,omitempty"` // cached, plain
	DecoderParams int64  `json:"decoder_params,omitempty"`
	TotalParams   int64  `json:"total_params,omitempty"`
	// Agrees: the file has exactly the operators and the initializers, by name, type
	// and shape, that lowering the candidate gives.
	Agrees bool `json:"agrees"`
	// Differences from the nearest candidate, or why none could be compared.
	Differences []string `json:"differences,omitempty"`
}
