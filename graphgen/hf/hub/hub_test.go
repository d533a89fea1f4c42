package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/hf/hub"
	"lathe/graphgen/hf/hub/hubtest"
)

// tiny is a repository with all that is wanted, and more.
func tiny() map[string][]byte {
	return map[string][]byte{
		"config.json": []byte(`{"model_type": "gpt2"}`), "tokenizer.json": []byte("{}"), "vocab.json": []byte(`{"a": 1}`),
		"model.safetensors": bytes.Repeat([]byte("weights!"), 5000), "pytorch_model.bin": []byte("a pickle"),
		"onnx/model.onnx": []byte("a graph"), "README.md": []byte("read me"),
	}
}

func options(t *testing.T, h *hubtest.Hub) hub.Options {
	return hub.Options{CacheDir: t.TempDir(), Endpoint: h.URL()}
}

func parse(t *testing.T, s string) hub.Reference {
	t.Helper()
	r, err := hub.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contents are the files of a folder, those of links too.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range list {
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestFetch(t *testing.T) {
	h := hubtest.New(t, "org/tiny", tiny())
	o := options(t, h)
	r := parse(t, "hf:org/tiny")
	var reported [][2]int64
	o.Progress = func(done, total int64) { reported = append(reported, [2]int64{done, total}) }
	f, err := hub.Fetch(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	want := tiny()
	for _, other := range []string{"pytorch_model.bin", "onnx/model.onnx", "README.md"} {
		delete(want, other)
	}
	if got := contents(t, f.Dir); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if f.Commit != hubtest.Commit || f.Stale != nil || !strings.HasSuffix(f.Dir, filepath.Join("models--org--tiny", "snapshots", hubtest.Commit)) {
		t.Errorf("%+v", f)
	}
	total := int64(0)
	for _, b := range want {
		total += int64(len(b))
	}
	if n := len(reported); n == 0 || reported[n-1] != [2]int64{total, total} || !slices.IsSortedFunc(reported, func(a, b [2]int64) int { return int(a[0] - b[0]) }) {
		t.Errorf("progress %v, want up to %d", reported, total)
	}
	// Once more, nothing is sent; without the network it is there; and by its commit.
	h.Do(func() { h.Fetched = nil })
	again, err := hub.Fetch(t.Context(), r, o)
	h.Do(func() {
		if err != nil || again.Dir != f.Dir || len(h.Fetched) > 0 {
			t.Errorf("%+v, %v, fetched %v", again, err, h.Fetched)
		}
	})
	h.Close()
	o.Offline = true
	for _, name := range []string{"hf:org/tiny", "hf:org/tiny@" + hubtest.Commit} {
		if again, err := hub.Fetch(t.Context(), parse(t, name), o); err != nil || again.Dir != f.Dir || again.Stale != nil {
			t.Errorf("offline: %+v, %v", again, err)
		}
	}
	// A network that does not answer is the same, and said.
	o.Offline = false
	again, err = hub.Fetch(t.Context(), r, o)
	if err != nil || again.Dir != f.Dir || again.Stale == nil || !strings.Contains(again.Stale.Error(), "the list of its files cannot be had") {
		t.Errorf("without a hub: %+v, %v", again, err)
	}
}

func TestFetchShards(t *testing.T) {
	files := tiny()
	delete(files, "model.safetensors")
	files["model.safetensors.index.json"] = []byte(`{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}`)
	files["model-00001-of-00002.safetensors"] = bytes.Repeat([]byte("1"), 3000)
	files["model-00002-of-00002.safetensors"] = bytes.Repeat([]byte("2"), 30)
	h := hubtest.New(t, "tiny", files)
	o := options(t, h)
	r := parse(t, "hf:tiny")
	h.Breaks = "model-00002-of-00002.safetensors"
	if _, err := hub.Fetch(t.Context(), r, o); err == nil {
		t.Fatal("a transfer that broke off is an error")
	}
	off := o
	off.Offline = true
	if f, err := hub.Fetch(t.Context(), r, off); err == nil {
		t.Errorf("a folder without one of its parts is taken for whole: %+v", f)
	}
	h.Do(func() { h.Breaks = "" })
	f, err := hub.Fetch(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, f.Dir); !bytes.Equal(got["model-00002-of-00002.safetensors"], files["model-00002-of-00002.safetensors"]) || len(got) != 6 {
		t.Errorf("%v", slices.Sorted(maps.Keys(got)))
	}
	if _, err := hub.Fetch(t.Context(), r, off); err != nil {
		t.Error(err)
	}
}

// What is damaged on the way is not kept.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"model.safetensors", "config.json"} {
		for how, damage := range map[string]func(*hubtest.Hub){
			"of":       func(h *hubtest.Hub) { h.Breaks = name },
			"its hash": func(h *hubtest.Hub) { h.Spoils = name },
		} {
			h := hubtest.New(t, "org/tiny", tiny())
			o := options(t, h)
			r := parse(t, "hf:org/tiny")
			damage(h)
			_, err := hub.Fetch(t.Context(), r, o)
			if err == nil || !strings.Contains(err.Error(), "hub: hf:org/tiny: "+name+" cannot be had from "+h.URL()+": it was damaged on the way: it") || !strings.Contains(err.Error(), how) || !strings.HasSuffix(err.Error(), ": try again") {
				t.Errorf("%s of %s: %v", how, name, err)
			}
			h.Do(func() { h.Breaks, h.Spoils = "", "" })
			f, err := hub.Fetch(t.Context(), r, o)
			if err != nil || !bytes.Equal(contents(t, f.Dir)[name], tiny()[name]) {
				t.Errorf("after that: %v", err)
			}
		}
	}
}

// A cache that another program left a part in is completed.
func TestHalfBlob(t *testing.T) {
	h := hubtest.New(t, "org/tiny", tiny())
	o := options(t, h)
	r := parse(t, "hf:org/tiny")
	f, err := hub.Fetch(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(f.Dir, "model.safetensors"), 100); err != nil {
		t.Fatal(err)
	}
	if f, err = hub.Fetch(t.Context(), r, o); err != nil || !bytes.Equal(contents(t, f.Dir)["model.safetensors"], tiny()["model.safetensors"]) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	without := func(names ...string) func(*hubtest.Hub) {
		return func(h *hubtest.Hub) {
			for _, n := range names {
				delete(h.Files, n)
			}
		}
	}
	for _, c := range []struct {
		change func(*hubtest.Hub)
		ref    string
		want   string
	}{
		{func(h *hubtest.Hub) { h.Token = "secret" }, "hf:org/tiny", "the list of its files cannot be had from http://.*401.*it is not public, or there is none of that name: check the name, or set HF_TOKEN"},
		{nil, "hf:org/other", "hf:org/other: the list of its files.*404.*check the name and the revision"},
		{nil, "hf:org/tiny@v2", "hf:org/tiny@v2: the list of its files.*404"},
		{without("config.json"), "hf:org/tiny", "hf:org/tiny has no config.json: it is no model of transformers (it has README.md, model.safetensors, "},
		{without("model.safetensors"), "hf:org/tiny", "has neither model.safetensors nor model.safetensors.index.json: weights in other formats are not read"},
		{func(h *hubtest.Hub) { h.Commit = "../../../../outside" }, "hf:org/tiny", "its commit is \"../../../../outside\", which is none"},
		{func(h *hubtest.Hub) { h.ETag = "../../../outside" }, "hf:org/tiny", "config.json cannot be had from http://.*the server names its content \"../../../outside\", which cannot be the name of a file"},
		{func(h *hubtest.Hub) { h.Close() }, "hf:org/tiny", "the list of its files.*connection refused.*copy its folder to this machine and give its path, or set HF_ENDPOINT to a mirror"},
	} {
		h := hubtest.New(t, "org/tiny", tiny())
		o := options(t, h)
		if c.change != nil {
			c.change(h)
		}
		f, err := hub.Fetch(t.Context(), parse(t, c.ref), o)
		if err == nil {
			t.Errorf("want %q, got %+v", c.want, f)
			continue
		}
		at := 0
		for part := range strings.SplitSeq(c.want, ".*") {
			i := strings.Index(err.Error()[at:], part)
			if i < 0 {
				t.Errorf("want %q, got %v", c.want, err)
				break
			}
			at += i + len(part)
		}
		if outside, _ := filepath.Glob(filepath.Join(filepath.Dir(o.CacheDir), "outside*")); outside != nil {
			t.Errorf("%s: it wrote %v", c.want, outside)
		}
	}
	h := hubtest.New(t, "org/tiny", tiny())
	o := options(t, h)
	o.Offline = true
	if _, err := hub.Fetch(t.Context(), parse(t, "hf:org/tiny"), o); err == nil || !strings.Contains(err.Error(), "hub: hf:org/tiny is not in "+o.CacheDir+", and the network is not to be used: fetch it without --offline, or copy its folder here") {
		t.Error(err)
	}
	o.Offline = false
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hub.Fetch(ctx, parse(t, "hf:org/tiny"), o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h.Do(func() { h.Token, o.Token = "secret", "secret" })
	if _, err := hub.Fetch(t.Context(), parse(t, "hf:org/tiny"), o); err != nil {
		t.Errorf("with the token: %v", err)
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]hub.Reference{
		"hf:gpt2":                         {ID: "gpt2", Revision: "main"},
		"hf:openai-community/gpt2":        {ID: "openai-community/gpt2", Revision: "main"},
		"hf:org/Name_1.5-b@refs/pr/3":     {ID: "org/Name_1.5-b", Revision: "refs/pr/3"},
		"hf:a/b@0123456789abcdef01234567": {ID: "a/b", Revision: "0123456789abcdef01234567"},
	} {
		got, err := hub.Parse(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"gpt2", "hf:", "hf:/", "hf:a/", "hf:/a", "hf:a/b/c", "hf:..", "hf:a/..", "hf:../a", "hf:a--b", "hf:a b", "hf:a@", "hf:a@..", "hf:a@/x", "hf:a@x//y", "hf:a@b@c", "hf:a\\b", "hf:-a", "hf:a.", "hf:" + strings.Repeat("a", 300), "hf:a?b", "hf:a#b", "hf:a%2e"} {
		if r, err := hub.Parse(s); err == nil {
			t.Errorf("%q is taken for %+v", s, r)
		}
	}
}

// Whatever is parsed stays within the cache.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"hf:gpt2", "hf:a/b@c", "hf:../..@..", "hf:a/b@refs/../../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := hub.Parse(s)
		if err != nil {
			return
		}
		if r.String() != s && s != fmt.Sprintf("%s@%s", r, hub.DefaultRevision) {
			t.Errorf("%q is %q", s, r)
		}
		for _, part := range []string{r.ID, r.Revision} {
			if !filepath.IsLocal(filepath.FromSlash(part)) || strings.ContainsAny(part, "?#%\\ ") {
				t.Errorf("%q has the part %q", s, part)
			}
		}
	})
}
