package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/verify"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// env is the library that every test runs on.
var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

func candidate(t testing.TB, name string) arch.Candidate {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write writes a candidate's graph with weights of a seed.
func write(t testing.TB, path string, c arch.Candidate, seed uint64) {
	t.Helper()
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = weights.Write(context.Background(), path, g, &weights.Random{Seed: seed}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fitted is a candidate in the dialect that it names, or that its loaders take.
func fitted(t testing.TB, name string, loaders []bundle.Loader) arch.Candidate {
	c := candidate(t, name)
	if !strings.Contains(name, "+") {
		c.Build.Dialect = ""
	}
	return bundle.Fit(c, loaders)
}

// made writes a bundle of a candidate's spec, in its dialect, with weights of seed 1.
func made(t testing.TB, name string, loaders []bundle.Loader, dtypes ...bundle.DType) string {
	t.Helper()
	dir := t.TempDir()
	c := fitted(t, name, loaders)
	m := &bundle.Manifest{Spec: c.Spec, Name: c.Spec.Name(), Loaders: loaders, Tokenizer: "none", WeightsHash: "abc"}
	for _, d := range dtypes {
		var err error
		if c.Build, err = d.Build(c.Build); err != nil {
			t.Fatal(err)
		}
		file := bundle.Place(loaders, dtypes, d)
		write(t, filepath.Join(dir, filepath.FromSlash(file)), c, 1)
		m.Models = append(m.Models, bundle.Entry{File: file, DType: d, Candidate: c.Name(), Build: c.Build.Normalized(), Library: graphgen.MinLibrary(c)})
	}
	err := errors.Join(
		bundle.WriteConfigs(dir, bundle.Contents{Spec: c.Spec, Loaders: loaders, DTypes: dtypes, Shared: c.Build.Dialect == arch.Fused, Tokens: bundle.Tokens{End: []int{3}}}),
		bundle.Seal(context.Background(), dir, m, nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// options are what a bundle of weights of seed 1 is held against: the other dialect, and
// a spec that its configuration had when it was made.
func options(t testing.TB, name string) verify.Options {
	t.Helper()
	c := candidate(t, name)
	return verify.Options{
		Open: func(_ context.Context, b *bundle.Bundle, m bundle.Model) (*ort.Session, error) {
			return env.NewSessionFromFile(b.Path(m), ort.Options{Threads: 1})
		},
		Recognise: func(*bundle.Bundle, bundle.Model) (verify.Recognised, error) {
			return verify.Recognised{Spec: &c.Spec}, nil
		},
		Source: func(_ context.Context, _ *bundle.Bundle, m bundle.Model) (verify.Source, error) {
			other := arch.Candidate{Spec: c.Spec, Build: arch.Build{Dialect: arch.Fused}}
			if m.Entry.Build.Dialect == arch.Fused {
				other.Build.Dialect = arch.Portable
			}
			return verify.Source{Name: string(other.Build.Dialect), Open: func(context.Context) (*ort.Session, func() error, error) {
				path := filepath.Join(t.TempDir(), "model.onnx")
				write(t, path, other, 1)
				s, err := env.NewSessionFromFile(path, ort.Options{Threads: 1})
				return s, s.Close, err
			}}, nil
		},
		Tokenizer: func(*bundle.Bundle, int) (int, error) { return 0, errors.New("not called: there is none") },
		Rand:      rand.New(rand.NewPCG(1, 2)),
		Now:       func() time.Duration { return 0 },
	}
}

// byStatus are the names of a report's checks, each once.
func byStatus(r *verify.Report, s verify.Status) (out []string) {
	for _, c := range r.Checks {
		if c.Status == s && !slices.Contains(out, c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}

func show(r *verify.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "\n%v", c)
		if c.Value != nil {
			fmt.Fprintf(&b, " [%g]", *c.Value)
		}
	}
	return b.String()
}

var (
	optimum = []bundle.Loader{bundle.Optimum}
	genai   = []bundle.Loader{bundle.GenAI}
	all     = bundle.Loaders
)

const (
	gpt2  = "gpt2-l2-d32-f64-h2-v64-p40"
	llama = "llama-l2-d32-f64-h4-kv2-v64-p40"
)

// TestWhole: what was written as it should passes all that is asked of it.
func TestWhole(t *testing.T) {
	for _, c := range []struct {
		name    string
		loaders []bundle.Loader
		dtypes  []bundle.DType
		ran     []string // beside those that every bundle passes
	}{
		{gpt2, optimum, []bundle.DType{"fp32", "int8"}, []string{"config", "feeds_optimum", "left_padding"}},
		{llama, all[:2], []bundle.DType{"fp32", "fp16", "q4"}, []string{"config", "feeds_optimum", "feeds_transformers.js", "left_padding"}},
		{llama, genai, []bundle.DType{"q4"}, []string{"config", "feeds_genai", "genai_config", "buffers"}},
		{gpt2, all, []bundle.DType{"fp32"}, []string{"config", "feeds_optimum", "feeds_transformers.js", "feeds_genai", "genai_config", "left_padding"}},
		{"gpt2-l1-d32-f64-h2-v64-p2", optimum, []bundle.DType{"fp32"}, []string{"left_padding"}},
	} {
		r, err := verify.Folder(t.Context(), made(t, c.name, c.loaders, c.dtypes...), options(t, c.name))
		if err != nil {
			t.Fatal(err)
		}
		if r.Err() != nil {
			t.Errorf("%s for %v: %s", c.name, c.loaders, show(r))
		}
		passed := byStatus(r, verify.Passed)
		for _, want := range append([]string{"files", "checksums", "session", "logits", "tokens", "steps", "size"}, c.ran...) {
			if !slices.Contains(passed, want) {
				t.Errorf("%s for %v: %s did not pass: %s", c.name, c.loaders, want, show(r))
			}
		}
	}
}

// edit replaces a text in a file of a folder.
func edit(t testing.TB, dir, name, old, by string) {
	t.Helper()
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), old, by)
	if changed == string(text) {
		t.Fatalf("%s has no %q: %s", name, old, text)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// swap exchanges two texts of one length.
func swap(t testing.TB, dir, name, a, b string) {
	edit(t, dir, name, a, strings.Repeat("\x01", len(a)))
	edit(t, dir, name, b, a)
	edit(t, dir, name, strings.Repeat("\x01", len(a)), b)
}

// seal lists the files anew, as who means to deceive would.
func seal(t testing.TB, dir string) {
	t.Helper()
	b, err := bundle.Open(dir)
	if err == nil {
		err = bundle.Seal(t.Context(), dir, b.Manifest, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamaged: each damage fails the checks that are about it, and no others.
func TestDamaged(t *testing.T) {
	another := func(t *testing.T, dir string) {
		write(t, filepath.Join(dir, "model.onnx"), fitted(t, gpt2, optimum), 2)
	}
	for _, c := range []struct {
		what    string
		loaders []bundle.Loader
		damage  func(t *testing.T, dir string)
		fails   []string
	}{
		{"a byte of the weights", optimum, func(t *testing.T, dir string) {
			path := filepath.Join(dir, "model.onnx_data")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[403] ^= 0x40 // the exponent of an embedding's float
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"checksums", "logits", "tokens"}},
		{"a shorter data file", optimum, func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "model.onnx_data"), 5000); err != nil {
				t.Fatal(err)
			}
		}, []string{"files"}},
		{"another model's weights", optimum, another, []string{"checksums", "logits", "tokens"}},
		{"another model's weights, sealed", optimum, func(t *testing.T, dir string) { another(t, dir); seal(t, dir) }, []string{"logits", "tokens"}},
		{"another model's config", optimum, func(t *testing.T, dir string) { edit(t, dir, "config.json", `"n_layer": 2`, `"n_layer": 3`) }, []string{"config"}},
		{"heads in genai_config", genai, func(t *testing.T, dir string) {
			edit(t, dir, "genai_config.json", `"num_key_value_heads": 2`, `"num_key_value_heads": 4`)
		}, []string{"checksums", "genai_config"}},
		{"head size in genai_config", genai, func(t *testing.T, dir string) {
			edit(t, dir, "genai_config.json", `"head_size": 16`, `"head_size": 8`)
			seal(t, dir)
		}, []string{"genai_config"}},
		{"length in genai_config", genai, func(t *testing.T, dir string) {
			edit(t, dir, "genai_config.json", `"context_length": 40`, `"context_length": 80`)
			edit(t, dir, "genai_config.json", `"max_length": 40`, `"max_length": 90`)
			seal(t, dir)
		}, []string{"genai_config"}},
		{"names in genai_config", genai, func(t *testing.T, dir string) {
			edit(t, dir, "genai_config.json", "present.%d.value", "gift.%d.value")
			seal(t, dir)
		}, []string{"feeds_genai"}},
		{"caches mislabelled", optimum, func(t *testing.T, dir string) {
			swap(t, dir, "model.onnx", "past_key_values.0.key", "past_key_values.1.key")
			seal(t, dir)
		}, []string{"logits", "steps"}},
		{"a cache that nobody feeds", optimum, func(t *testing.T, dir string) {
			edit(t, dir, "model.onnx", "past_key_values.0.key", "past_key_values.0.kex")
			seal(t, dir)
		}, []string{"feeds_optimum"}},
		{"an output that is not there", all, func(t *testing.T, dir string) {
			edit(t, dir, "onnx/model.onnx", "present.1.value", "present.1.vague")
			seal(t, dir)
		}, []string{"feeds_optimum"}},
		{"data files for transformers.js", all, func(t *testing.T, dir string) {
			edit(t, dir, "config.json", `"model.onnx": 1`, `"model.onnx": 0`)
			seal(t, dir)
		}, []string{"feeds_transformers.js"}},
		{"no graph", optimum, func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "model.onnx"), []byte("nothing"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"files"}},
		{"end of text", optimum, func(t *testing.T, dir string) {
			edit(t, dir, "generation_config.json", `"eos_token_id": 3`, `"eos_token_id": 64`)
			seal(t, dir)
		}, []string{"config"}},
		{"what it generates", optimum, func(t *testing.T, dir string) {
			b, err := bundle.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			b.Manifest.Models[0].Generates = &bundle.Generated{Prompt: []int64{1, 2}, Tokens: []int64{1, 2, 3, 4}}
			if err := bundle.Seal(t.Context(), dir, b.Manifest, nil); err != nil {
				t.Fatal(err)
			}
		}, []string{"generates"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := made(t, gpt2, c.loaders, "fp32")
			c.damage(t, dir)
			r, err := verify.Folder(t.Context(), dir, options(t, gpt2))
			if err != nil {
				t.Fatal(err)
			}
			if got := byStatus(r, verify.Failed); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.fails))) {
				t.Errorf("failed are %v, want %v: %s", got, c.fails, show(r))
			}
			if r.Err() == nil || !strings.Contains(r.Err().Error(), c.fails[0]+" ") {
				t.Errorf("the error %v does not name %s", r.Err(), c.fails[0])
			}
		})
	}
}

// TestAsked: what is asked for and not there fails; a fused graph is no bundle for who
// pads on the left.
func TestAsked(t *testing.T) {
	o := options(t, gpt2)
	o.Loaders = genai
	r, err := verify.Folder(t.Context(), made(t, gpt2, optimum, "fp32"), o)
	if err != nil || !slices.Equal(byStatus(r, verify.Failed), []string{"feeds_genai"}) {
		t.Errorf("%v: %s", err, show(r))
	}
	r, err = verify.Folder(t.Context(), made(t, gpt2+"+fused", optimum, "fp32"), options(t, gpt2))
	if err != nil || !slices.Equal(byStatus(r, verify.Failed), []string{"left_padding"}) {
		t.Errorf("%v: %s", err, show(r))
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := verify.Folder(t.Context(), dir, options(t, gpt2)); !errors.Is(err, verify.ErrNoFolder) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verify.Folder(ctx, made(t, gpt2, optimum, "fp32"), options(t, gpt2)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestTokenizer: its answer is the check's, and a manifest that names one wants it.
func TestTokenizer(t *testing.T) {
	dir := made(t, gpt2, optimum, "fp32")
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := options(t, gpt2)
	o.Tokenizer = func(_ *bundle.Bundle, vocab int) (int, error) { return vocab - 1, nil }
	r, err := verify.Folder(t.Context(), dir, o)
	if err != nil || !slices.Contains(byStatus(r, verify.Passed), "tokenizer") {
		t.Errorf("%v: %s", err, show(r))
	}
	o.Tokenizer = func(*bundle.Bundle, int) (int, error) { return 0, errors.New("another model's") }
	r, err = verify.Folder(t.Context(), dir, o)
	if err != nil || !slices.Equal(byStatus(r, verify.Failed), []string{"tokenizer"}) {
		t.Errorf("%v: %s", err, show(r))
	}
	if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "lathe.json", `"tokenizer": "none"`, `"tokenizer": "tok.model"`)
	r, err = verify.Folder(t.Context(), dir, o)
	if err != nil || !slices.Equal(byStatus(r, verify.Failed), []string{"tokenizer"}) {
		t.Errorf("%v: %s", err, show(r))
	}
}

// TestPerplexity: the limit is on the ratio to the source, and cannot be held without.
func TestPerplexity(t *testing.T) {
	before, ratio, most := 10.0, 1.03, 1.02
	dir := made(t, gpt2, optimum, "fp32")
	for _, c := range []struct {
		of    verify.Scored
		fails bool
	}{
		{verify.Scored{Perplexity: 10.3}, false},
		{verify.Scored{Perplexity: 10.3, Before: &before, Ratio: &ratio}, false},
		{verify.Scored{Perplexity: 10.3, Before: &before, Ratio: &ratio, Most: &most}, true},
		{verify.Scored{Perplexity: 10.3, Most: &most}, true},
	} {
		o := options(t, gpt2)
		o.Perplexity = func(context.Context, *bundle.Bundle, bundle.Model) (verify.Scored, error) { return c.of, nil }
		r, err := verify.Folder(t.Context(), dir, o)
		if err != nil || slices.Contains(byStatus(r, verify.Failed), "perplexity") != c.fails {
			t.Errorf("%+v: %v: %s", c.of, err, show(r))
		}
	}
}

// TestLatency: each way of binding is timed, and named; requests that are too long are
// not.
func TestLatency(t *testing.T) {
	base := filepath.Join(t.TempDir(), "model.onnx")
	write(t, base, candidate(t, gpt2+"+portable"), 3)
	lat := &verify.Latency{
		Name: "base", Mode: func(bundle.Loader) decode.Mode { return decode.Copied },
		Open: func(context.Context) (*ort.Session, error) {
			return env.NewSessionFromFile(base, ort.Options{Threads: 1})
		},
		Plan: profiler.Plan{RequestPairs: 3, Workload: record.Workload{Name: "w", Requests: []record.WorkloadRequest{
			{PromptTokens: 4, GeneratedTokens: 3, Chars: 9}, {PromptTokens: 2, GeneratedTokens: 2, Chars: 3}, {PromptTokens: 5, GeneratedTokens: 1, Chars: 2},
		}}},
	}
	for _, c := range []struct {
		name    string
		loaders []bundle.Loader
		says    []string
	}{
		{gpt2, genai, []string{"shared buffers, as in genai"}},
		{gpt2, all, []string{"copied buffers, as in optimum, transformers.js, genai"}},
	} {
		o := options(t, c.name)
		o.Latency = lat
		r, err := verify.Folder(t.Context(), made(t, c.name, c.loaders, "fp32"), o)
		if err != nil || r.Err() != nil {
			t.Fatalf("%v: %s", err, show(r))
		}
		var said []string
		for _, k := range r.Checks {
			if k.Name == "latency_char_p95" {
				said = append(said, k.Detail)
				if k.Value == nil || !(*k.Value > 0) || k.CI != nil {
					t.Errorf("%+v: want a ratio, and no interval of 3 requests", k)
				}
			}
		}
		if len(said) != len(c.says) || !strings.Contains(said[0], c.says[0]) {
			t.Errorf("said %q, want %q", said, c.says)
		}
	}
	lat.Plan.Workload.Requests[0].PromptTokens = 100
	o := options(t, gpt2)
	o.Latency = lat
	r, err := verify.Folder(t.Context(), made(t, gpt2, genai, "fp32"), o)
	if err != nil || !slices.Contains(byStatus(r, verify.Skipped), "latency_char_p95") {
		t.Errorf("%v: %s", err, show(r))
	}
}

// TestBounds: a build of two precisions has the wider bounds; fp32 has none but its own.
func TestBounds(t *testing.T) {
	build := func(name string) arch.Build { return candidate(t, gpt2+name).Build }
	fp32 := verify.BoundsOf(build(""))
	if fp32.KL != 0 || fp32.Relative != 0 || fp32.Same > 1e-3 {
		t.Errorf("fp32: %+v", fp32)
	}
	int8, int4, both := verify.BoundsOf(build("+int8b32")), verify.BoundsOf(build("+int4b32")), verify.BoundsOf(build("+int8b32+head-int4b32"))
	if both.KL != max(int8.KL, int4.KL) || both.Same != max(int8.Same, int4.Same) || !(int8.KL < int4.KL) {
		t.Errorf("int8 %+v, int4 %+v, both %+v", int8, int4, both)
	}
	if f := verify.BoundsOf(build("+fp16")); !(f.Same > fp32.Same) || !(f.KL > 0) {
		t.Errorf("fp16 %+v", f)
	}
}
