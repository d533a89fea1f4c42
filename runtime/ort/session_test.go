package ort_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/runtime/ort"
)

// externalModel is y = x W, W [2, 2] in a file.
func externalModel(location string, offset, length int64) []byte {
	return graph{
		nodes: [][]byte{node("MatMul", []string{"x", "W"}, []string{"y"})},
		inits: [][]byte{external("W", []int64{2, 2}, location, offset, length)},
		in:    [][]byte{value("x", ort.Float32, "n", 2)},
		out:   [][]byte{value("y", ort.Float32, "n", 2)},
	}.model()
}

func TestExternalData(t *testing.T) {
	top := t.TempDir()
	dir, pool := filepath.Join(top, "model"), filepath.Join(top, "pool")
	raw := make([]byte, 4096)
	for _, v := range []float32{1, 2, 3, 4} {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "sub"), 0o755), os.Mkdir(pool, 0o755),
		os.WriteFile(filepath.Join(pool, "w.bin"), raw, 0o644),
		os.WriteFile(filepath.Join(dir, "own.bin"), raw, 0o644),
		os.WriteFile(filepath.Join(dir, "sub", "own.bin"), raw, 0o644),
		os.Link(filepath.Join(pool, "w.bin"), filepath.Join(dir, "hard.bin")),
		os.Symlink("own.bin", filepath.Join(dir, "inside.lnk")),
		os.Symlink("../pool/w.bin", filepath.Join(dir, "outside.lnk")),
		os.Symlink("model", filepath.Join(top, "folder.lnk")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, location, dir string
		offset, length      int64
		want                string // of the error; "" where it works
	}{
		{"in the folder", "own.bin", dir, 4096, 16, ""},
		{"below the folder", "sub/own.bin", dir, 4096, 16, ""},
		{"hard link", "hard.bin", dir, 4096, 16, ""},
		{"link that stays inside", "inside.lnk", dir, 4096, 16, ""},
		{"folder that is a link", "own.bin", filepath.Join(top, "folder.lnk"), 4096, 16, ""},
		{"the pool's own folder", "w.bin", pool, 4096, 16, ""},
		{"link that leads out", "outside.lnk", dir, 4096, 16, "escapes"},
		{"up and over", "../pool/w.bin", dir, 4096, 16, "escapes"},
		{"absolute", filepath.Join(pool, "w.bin"), dir, 4096, 16, "Absolute path not allowed"},
		{"missing", "none.bin", dir, 4096, 16, "none.bin"},
		{"cut short", "own.bin", dir, 4100, 16, "out of bounds"},
		{"before the start", "own.bin", dir, -16, 16, "out of bounds"},
		{"length of another shape", "own.bin", dir, 4096, 12, ": "},
		{"folder missing", "own.bin", filepath.Join(top, "none"), 4096, 16, "none"},
		{"folder is a file", "own.bin", filepath.Join(dir, "own.bin"), 4096, 16, "not a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, packed := range []bool{true, false} {
				s, err := env.NewSession(externalModel(c.location, c.offset, c.length), c.dir, ort.Options{Name: "m", DisablePrepacking: !packed})
				if c.want != "" {
					if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "ort: create session m: ") {
						t.Fatalf("got %v, want an error with %q", err, c.want)
					}
					if !errors.Is(err, ort.ErrExternalData) && c.length == 16 {
						t.Errorf("%v is not ErrExternalData", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				x := tensorOf[float32](t, []int64{1, 2}, 1, 10)
				out := must(s.Run(map[string]*ort.Tensor{"x": x}))(t)
				defer out["y"].Close()
				if y := ort.Data[float32](out["y"]); y[0] != 31 || y[1] != 42 {
					t.Errorf("got %v, want [31 42]", y)
				}
				if ext := s.External(); len(ext) != 1 || ext[0] != (ort.External{Tensor: "W", Location: c.location, Offset: 4096, Length: 16}) {
					t.Errorf("External is %+v", ext)
				}
			}
		})
	}
	file := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(file, externalModel("own.bin", 4096, 16), 0o644); err != nil {
		t.Fatal(err)
	}
	s := must(env.NewSessionFromFile(file, ort.Options{}))(t)
	defer s.Close()
	if s.Name() != file {
		t.Errorf("the session is named %q, want its file", s.Name())
	}
}

func TestBadModels(t *testing.T) {
	good := addModel()
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	unknown := graph{
		nodes: [][]byte{node("Frobnicate", []string{"x"}, []string{"y"})},
		in:    [][]byte{value("x", ort.Float32, "n")}, out: [][]byte{value("y", ort.Float32, "n")},
	}.model()
	for _, c := range []struct {
		name  string
		model []byte
		kind  error
		want  string
	}{
		{"no bytes", nil, ort.ErrInvalidModel, "no bytes"},
		{"text", []byte("this is not a model, it is prose"), ort.ErrInvalidModel, "not an ONNX model"},
		{"cut short", good[:len(good)/2], ort.ErrInvalidModel, "past the end"},
		{"no graph", good[:15], ort.ErrInvalidModel, "0 graphs"},
		{"ort format", append([]byte{24, 0, 0, 0}, "ORTM and so on"...), ort.ErrInvalidModel, ".ort format"},
		{"unknown operator", unknown, ort.ErrUnsupported, "Frobnicate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := func(err error) {
				t.Helper()
				var e *ort.Error
				if !errors.Is(err, c.kind) || !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %v with %q", err, c.kind, c.want)
				}
			}
			_, err := env.NewSession(c.model, "", ort.Options{Name: "m"})
			check(err)
			if len(c.model) > 0 {
				_, err = env.NewSessionFromFile(file(c.name, c.model), ort.Options{})
				check(err)
			}
		})
	}
	if _, err := env.NewSessionFromFile(filepath.Join(dir, "none.onnx"), ort.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := env.NewSessionFromFile(dir, ort.Options{}); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("folder: %v", err)
	}
	if _, err := env.NewSessionFromFile(file("empty", nil), ort.Options{}); !errors.Is(err, ort.ErrInvalidModel) {
		t.Errorf("empty file: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		opts ort.Options
		want string
	}{
		{ort.Options{Threads: -1}, "ort: threads is -1, want 1 to 1024, or 0 for 1"},
		{ort.Options{Threads: 5000}, "ort: threads is 5000, want 1 to 1024, or 0 for 1"},
		{ort.Options{InterThreads: -2}, "ort: inter-op threads is -2, want 1 to 1024, or 0 for 1"},
		{ort.Options{GraphLevel: 9}, "ort: there is no graph level 9"},
		{ort.Options{LogLevel: -1}, "ort: there is no log level -1"},
		{ort.Options{Affinity: "1;2", Threads: 2}, `ort: affinity "1;2" pins 2 threads; with 2 threads the library makes 1, the calling thread is the other one`},
		{ort.Options{Provider: "npu"}, `ort: there is no execution provider "npu"; there are coreml, cpu, cuda, directml, openvino, tensorrt`},
		{ort.Options{ProviderOptions: map[string]string{"a": "b"}}, "ort: provider cpu takes no options, got map[a:b]"},
		{ort.Options{ConfigEntries: map[string]string{"": "b"}}, `ort: config entry "" = "b" is empty or has a zero byte`},
		{ort.Options{Provider: "directml", ProviderOptions: map[string]string{"device": "0"}}, `ort: provider directml has no option "device"; it has device_id`},
		{ort.Options{Provider: "directml", ProviderOptions: map[string]string{"device_id": "x"}}, `ort: provider directml: device_id "x" is not a number from 0 on`},
	} {
		if _, err := env.NewSession(addModel(), "", c.opts); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got %v\nwant %s", c.opts, err, c.want)
		}
	}
	no := false
	for _, o := range []ort.Options{
		{Threads: 2, InterThreads: 2, Affinity: "1", Spinning: true},
		{GraphLevel: ort.GraphNone, NoMemPattern: true, NoArena: true, DisablePrepacking: true},
		{GraphLevel: ort.GraphBasic}, {GraphLevel: ort.GraphExtended}, {GraphLevel: ort.GraphLayout},
		{LogLevel: ort.LogErrors, Provider: "cpu", ConfigEntries: map[string]string{"session.set_denormal_as_zero": "1"}},
	} {
		s, err := env.NewSession(addModel(), "", o)
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			continue
		}
		x := tensorOf[float32](t, []int64{1, 1}, 4)
		out, err := s.Run(map[string]*ort.Tensor{"x": x, "y": x})
		if err != nil || ort.Data[float32](out["z"])[0] != 8 {
			t.Errorf("%+v: %v, %v", o, out, err)
		}
		no = no || err != nil
		s.Close()
	}
	if no {
		t.Error("a session did not run")
	}
}

func TestProviders(t *testing.T) {
	have := env.Providers()
	if len(have) == 0 || have[0] != "coreml" && have[0] != "cpu" {
		t.Errorf("providers are %v, want cpu among them", have)
	}
	usable := map[string]bool{}
	for _, p := range have {
		usable[p] = true
	}
	for _, p := range []string{"cuda", "tensorrt", "openvino", "coreml", "directml"} {
		if usable[p] {
			continue
		}
		for _, opts := range []map[string]string{nil, {"device_id": "0"}} {
			_, err := env.NewSession(addModel(), "", ort.Options{Provider: p, ProviderOptions: opts})
			var e *ort.ProviderError
			if !errors.Is(err, ort.ErrProviderUnavailable) || !errors.As(err, &e) {
				t.Errorf("%s: %v", p, err)
				continue
			}
			if e.Provider != p || e.Version != env.Version() || e.Library != env.LibraryPath() || e.Reason == "" || !strings.Contains(e.Want, "provider cpu") {
				t.Errorf("%s: %+v", p, e)
			}
		}
	}
	if err := env.ProviderError("cpu"); err != nil {
		t.Error(err)
	}
	if err := env.ProviderError("npu"); err == nil {
		t.Error("there is no provider npu, and nobody said so")
	}
}

func TestProfile(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "prof")
	s := must(env.NewSession(addModel(), "", ort.Options{ProfilePrefix: prefix}))(t)
	x := tensorOf[float32](t, []int64{1, 1}, 4)
	must(s.Run(map[string]*ort.Tensor{"x": x, "y": x}))(t)["z"].Close()
	if s.Profile() != "" {
		t.Error("there is a profile before Close")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b := must(os.ReadFile(s.Profile()))(t)
	var events []map[string]any
	if err := json.Unmarshal(b, &events); err != nil || !strings.Contains(string(b), "node_z") {
		t.Errorf("profile %s: %v\n%s", s.Profile(), err, b)
	}
}

func TestDescription(t *testing.T) {
	s := session(t, keepModel(), ort.Options{})
	var got []string
	for _, v := range s.Inputs() {
		got = append(got, v.String())
	}
	if want := "x float32[batch, 2]; keep int64[]"; strings.Join(got, "; ") != want {
		t.Errorf("inputs are %v, want %s", got, want)
	}
	keep, ok := s.Input("keep")
	if !ok || !keep.Optional {
		t.Errorf("keep is %+v, %v; want it optional", keep, ok)
	}
	if x, _ := s.Input("x"); x.Optional || x.Symbols[0] != "batch" || x.Shape[0] != -1 || x.Shape[1] != 2 {
		t.Errorf("x is %+v", x)
	}
	if u := s.InputUses("x"); len(u) != 1 || u[0].Op != "Mul" || u[0].Slot != 0 || u[0].Node != "node_y" || len(u[0].Inputs) != 2 {
		t.Errorf("x is used by %+v", u)
	}
	if u, ok := s.OutputSource("y"); !ok || u.Op != "Mul" {
		t.Errorf("y comes from %+v", u)
	}
	m := s.Metadata()
	if m.Producer != "lathe tests" || m.GraphName != "test graph" || m.IRVersion != 10 || m.Opsets[""] != 21 || m.Custom["key"] != "of metadata" {
		t.Errorf("metadata is %+v", m)
	}
	if s.Name() != "test graph" {
		t.Errorf("the session is named %q, want the graph's name", s.Name())
	}
}

// keepModel is y = x * float(keep), keep a scalar input that defaults to 3.
func keepModel() []byte {
	to := num(num(str(nil, 1, "to"), 3, int64(ort.Float32)), 20, 2)
	return graph{
		nodes: [][]byte{node("Cast", []string{"keep"}, []string{"k"}, to), node("Mul", []string{"x", "k"}, []string{"y"})},
		inits: [][]byte{tensor("keep", ort.Int64, nil, binary.LittleEndian.AppendUint64(nil, 3))},
		in:    [][]byte{value("x", ort.Float32, "batch", 2), value("keep", ort.Int64)},
		out:   [][]byte{value("y", ort.Float32, "batch", 2)},
	}.model()
}

func TestOptionalInput(t *testing.T) {
	s := session(t, keepModel(), ort.Options{})
	x := tensorOf[float32](t, []int64{1, 2}, 1, 2)
	y := tensorOf[float32](t, []int64{1, 2}, 0, 0)
	k := must(ort.Scalar[int64](7))(t)
	defer k.Close()
	b := must(s.NewBinding())(t)
	if err := errors.Join(b.BindInput("x", x), b.BindOutput("y", y), b.Run()); err != nil {
		t.Fatal(err)
	}
	if got := ort.Data[float32](y)[1]; got != 6 {
		t.Errorf("unbound, the default gives %v, want 6", got)
	}
	if err := errors.Join(b.BindInput("keep", k), b.Run()); err != nil {
		t.Fatal(err)
	}
	if got := ort.Data[float32](y)[1]; got != 14 {
		t.Errorf("bound to 7 it gives %v, want 14", got)
	}
	for want, in := range map[float32]map[string]*ort.Tensor{6: {"x": x}, 14: {"x": x, "keep": k}} {
		out := must(s.Run(in))(t)
		if got := ort.Data[float32](out["y"])[1]; got != want {
			t.Errorf("plain run gives %v, want %v", got, want)
		}
		out["y"].Close()
	}
}

// A run that wants more memory than there is fails, and the session lives on.
func TestOutOfMemory(t *testing.T) {
	m := graph{
		nodes: [][]byte{node("ConstantOfShape", []string{"shape"}, []string{"y"})},
		in:    [][]byte{value("shape", ort.Int64, 2)}, out: [][]byte{value("y", ort.Float32, "a", "b")},
	}.model()
	for _, arena := range []bool{true, false} {
		s := session(t, m, ort.Options{Name: "hungry", NoArena: !arena})
		big := tensorOf[int64](t, []int64{2}, 1<<20, 1<<28)
		_, err := s.Run(map[string]*ort.Tensor{"shape": big})
		if !errors.Is(err, ort.ErrOutOfMemory) || !strings.HasPrefix(err.Error(), "ort: run hungry: out of memory: ") {
			t.Errorf("a petabyte: %v", err)
		}
		small := tensorOf[int64](t, []int64{2}, 0, 3)
		out := must(s.Run(map[string]*ort.Tensor{"shape": small}))(t)
		if y := out["y"]; y.Elements() != 0 || len(y.Shape()) != 2 || y.Shape()[1] != 3 {
			t.Errorf("an empty tensor came out as %v", y.Shape())
		}
		out["y"].Close()
	}
}
