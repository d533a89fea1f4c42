package inspect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/inspect"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
)

// inModel stores parameters of zeros in the model.
type inModel struct{}

func (inModel) Place(p *ir.Param) (ir.Placement, error) {
	return ir.Placement{Inline: make([]byte, p.Bytes())}, nil
}

// lowered is a candidate's file, which change may change.
func lowered(t *testing.T, name string, change func(*onnxpb.ModelProto)) *inspect.Report {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ir.Encode(g, inModel{})
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	change(m)
	return read(t, m, "")
}

func setSpec(m *onnxpb.ModelProto, text string) {
	for _, kv := range m.MetadataProps {
		if kv.Key == graphgen.MetaSpec {
			kv.Value = text
		}
	}
}

func TestCandidate(t *testing.T) {
	const name = "gpt2-l2-d32-f48-h2-v100-p16+int4b16+head-fp32"
	spec, _, _ := strings.Cut(name, "+")
	full, err := arch.ParseCandidate(spec)
	if err != nil {
		t.Fatal(err)
	}
	inJSON, err := json.Marshal(full.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what       string
		change     func(*onnxpb.ModelProto)
		name       string
		agrees     bool
		difference string // in the first
		problem    string // in the first
	}{
		{"unchanged", func(*onnxpb.ModelProto) {}, name, true, "", ""},
		{"spec as JSON", func(m *onnxpb.ModelProto) { setSpec(m, string(inJSON)) }, name, true, "", ""},
		{"another number of layers", func(m *onnxpb.ModelProto) { setSpec(m, "gpt2-l3-d32-f48-h2-v100-p16") }, "", false,
			"transformer.h.2.attn.c_attn.bias float[96] is missing", "it is gpt2-l3-d32-f48-h2-v100-p16, and it is not: nearest is gpt2-l3-d32-f48-h2-v100-p16+int4b16+head-fp32; parameters that differ: "},
		{"more layers than nodes", func(m *onnxpb.ModelProto) { setSpec(m, "gpt2-l500-d32-f48-h2-v100-p16") }, "", false,
			"500 layers in ", "it would have 500 layers in "},
		{"no name", func(m *onnxpb.ModelProto) { setSpec(m, "gpt2-l4-d256-mixed-1a2b3c4d") }, "", false,
			"nothing to compare with", ""},
		{"rubbish", func(m *onnxpb.ModelProto) { setSpec(m, "{[:") }, "", false, "nothing to compare with", ""},
		{"lowered in another way", func(m *onnxpb.ModelProto) {
			last := m.Graph.Node[len(m.Graph.Node)-1]
			out := last.Output[0]
			last.Output[0] = "before"
			m.Graph.Node = append(m.Graph.Node, call("Identity", "before", out))
		}, name, false, "1 nodes Identity, where it takes 0", ""},
		{"another shape", func(m *onnxpb.ModelProto) {
			for _, i := range m.Graph.Initializer {
				if i.Name == "transformer.wpe.weight" {
					i.Dims, i.RawData = []int64{17, 32}, make([]byte, 4*17*32)
				}
			}
		}, "", false, "transformer.wpe.weight is float[17 32], where it takes float[16 32]", "parameters that differ: 1, first "},
		{"a tensor too many", func(m *onnxpb.ModelProto) {
			m.Graph.Initializer = append(m.Graph.Initializer, floats("adapter", 3))
		}, "", false, "adapter float[3] is not one of its own", "parameters that differ: 1, first "},
	} {
		t.Run(tc.what, func(t *testing.T) {
			r := lowered(t, name, tc.change)
			c := r.Candidate
			if c == nil || c.Name != tc.name || c.Agrees != tc.agrees {
				t.Fatalf("candidate %+v, want %s, agrees: %v", c, tc.name, tc.agrees)
			}
			first := func(list []string, want string) bool {
				return (want == "") == (len(list) == 0) && (want == "" || strings.Contains(list[0], want))
			}
			if !first(c.Differences, tc.difference) {
				t.Errorf("differences %q, want %q", c.Differences, tc.difference)
			}
			if !first(r.Problems, tc.problem) {
				t.Errorf("problems %q, want %q", r.Problems, tc.problem)
			}
		})
	}
}
