package recover_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/recover"
)

// changed writes a file's model again, in its place, after a change.
func changed(t testing.TB, path string, change func(m *onnxpb.ModelProto)) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if raw, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// anonymous leaves of a model nothing that says what it is: no metadata, and names of
// initializers and nodes that mean nothing.
func anonymous(m *onnxpb.ModelProto) {
	m.MetadataProps = nil
	m.ProducerName = ""
	names := map[string]string{}
	for i, x := range m.Graph.Initializer {
		if x.Name == graphgen.LogitsToKeep {
			continue
		}
		names[x.Name] = "t" + strings.Repeat("'", i)
		x.Name = names[x.Name]
	}
	for _, n := range m.Graph.Node {
		n.Name = ""
		for i, in := range n.Input {
			if to, ok := names[in]; ok {
				n.Input[i] = to
			}
		}
	}
}

// sameSpec compares Specs; how rotary frequencies come about may be told in another way.
func sameSpec(a, b arch.Spec) bool {
	fa, fb := a.RopeFrequencies(a.HeadDimOf(0)), b.RopeFrequencies(b.HeadDimOf(0))
	close := slices.EqualFunc(fa, fb, func(x, y float32) bool { return x-y <= 3e-5*y && y-x <= 3e-5*x })
	a.RopeBase, a.RopeScaling, b.RopeBase, b.RopeScaling = 0, nil, 0, nil
	return a.Equal(b) && (close || !a.Rotary())
}

// TestAnonymous: graphs of ours that do not say what they are, in both dialects, are
// recognised by what they compute, and their weights are the same to the byte.
func TestAnonymous(t *testing.T) {
	for i, s := range drawn(20) {
		for j, b := range builds {
			c := arch.Candidate{Spec: s, Build: b}
			if c.Build.CheckSpec(s) != nil {
				continue
			}
			t.Run(c.Name(), func(t *testing.T) {
				path := emit(t, c, graphgen.Cached, uint64(i))
				ours := open(t, path)
				hidden := filepath.Join(t.TempDir(), "model.onnx")
				for _, suffix := range []string{"", "_data"} {
					if err := os.Link(path+suffix, hidden+suffix); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Remove(hidden); err != nil {
					t.Fatal(err)
				}
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(hidden, raw, 0o644); err != nil {
					t.Fatal(err)
				}
				changed(t, hidden, anonymous)
				m := open(t, hidden)
				if m.Kind != recover.Other || m.Ours || !sameSpec(m.Spec, s) {
					t.Fatalf("%s %v %+v, want %+v", m.Kind, m.Ours, m.Spec, s)
				}
				whole(t, m)
				if len(m.Named()) != len(ours.Named()) && j < 2 {
					t.Errorf("%d tensors of the file, want %d", len(m.Named()), len(ours.Named()))
				}
				for name, x := range m.Tensors {
					if !slices.Equal(all(t, x), all(t, ours.Tensors[name])) {
						t.Errorf("%s differs", name)
					}
				}
				if j < 2 && m.Notes != nil || j >= 2 && len(m.Notes) == 0 {
					t.Errorf("notes %q", m.Notes)
				}
			})
		}
	}
}

func isNotDecoder(err error) bool { return errors.Is(err, recover.ErrNotDecoder) }
