package proxy_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search/proxy"
)

// eight is a table's rows, of which the caller gives the last.
func eight(header, last string) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range 7 {
		fmt.Fprintf(&b, "a%d,%d,64,128,4,%d\n", i, i+1, 60-i)
	}
	return b.String() + last + "\n"
}

const sizes = "id,n_layer,d_model,d_inner,n_head,ppl"

func TestRead(t *testing.T) {
	base := arch.NewSpec(arch.LLaMA, 0, 0, 0, 0)
	text := eight("\ufeff"+sizes, "last, 3 ,64,128|256|64,4|4|8, 51.5")
	table, err := proxy.Read(strings.NewReader(text), "t.csv", proxy.ReadOptions{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	want := arch.NewSpec(arch.LLaMA, 3, 64, 128, 4)
	want.Layers[1].DInner, want.Layers[2].DInner, want.Layers[2].NHead = 256, 64, 8
	r := table.Rows[7]
	if len(table.Rows) != 8 || r.Name != "last" || r.Line != 9 || r.Quality != 51.5 || !r.Spec.Equal(want) || table.Quality != "ppl" {
		t.Errorf("%+v, want %+v", r, want)
	}
	if !table.Rows[0].Spec.Equal(arch.NewSpec(arch.LLaMA, 1, 64, 128, 4)) {
		t.Errorf("row 1 is %+v", table.Rows[0].Spec)
	}
}

// Other counts of a model than sizes: vocabulary, positions, shared heads; a quality
// that is named; and compact names in the place of sizes.
func TestReadColumns(t *testing.T) {
	text := "n_layer,d_model,d_inner,n_head,n_kv_head,vocab,positions,accuracy,note\n"
	for i := range 8 {
		text += fmt.Sprintf("2,64,128,4,2,1000,%d,0.%d,\"a, b\"\n", 128+i, i+1)
	}
	table, err := proxy.Read(strings.NewReader(text), "t.csv", proxy.ReadOptions{
		Quality: "accuracy", HigherIsBetter: true, Base: arch.NewSpec(arch.LLaMA, 0, 0, 0, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := table.Rows[3].Spec
	if s.Vocab != 1000 || s.Positions != 131 || s.Layers[1].KVHeads() != 2 || table.Rows[3].Quality != 0.4 || !table.HigherIsBetter {
		t.Errorf("%+v", table.Rows[3])
	}

	text = "loss,candidate\n"
	for i := range 8 {
		text += fmt.Sprintf("%d,gpt2-l%d-d64-f128-h4-v300+int4b32\n", 9-i, i+1)
	}
	if table, err = proxy.Read(strings.NewReader(text), "t.csv", proxy.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := table.Rows[2]; len(r.Spec.Layers) != 3 || r.Spec.Vocab != 300 || !strings.HasPrefix(r.Name, "gpt2-l3") || r.Quality != 7 {
		t.Errorf("%+v", r)
	}
}

// Layers that differ, which a name does not say.
func TestReadJSON(t *testing.T) {
	spec := arch.Spec{Family: arch.Mixed, Vocab: 300, Positions: 64, DModel: 32, Layers: []arch.Layer{{Type: arch.LSTM}, {Type: arch.Transformer, NHead: 2, DInner: 96}}}
	body, err := json.Marshal(arch.Candidate{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	w := csv.NewWriter(&text)
	w.Write([]string{"candidate", "perplexity"})
	for i := range 8 {
		w.Write([]string{string(body), fmt.Sprint(10 + i)})
	}
	w.Flush()
	table, err := proxy.Read(strings.NewReader(text.String()), "t.csv", proxy.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r := table.Rows[7]; !r.Spec.Equal(spec) || r.Quality != 17 || r.Name != (arch.Candidate{Spec: spec}).Name() {
		t.Errorf("%+v", r)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, quality, want string }{
		"empty":         {"", "", "t.csv is empty: want CSV with a header"},
		"no sizes":      {"id,n_layer,d_model,n_head,ppl\n", "", "t.csv:1: no column d_inner: want candidate, or n_layer"},
		"no quality":    {"n_layer,d_model,d_inner,n_head,x y\n", "", `t.csv:1: no column perplexity or ppl or val_ppl or loss or val_loss: name the column of the quality; there are n_layer, d_model, d_inner, n_head, "x y"`},
		"near":          {sizes + "\n", "pp", "t.csv:1: no column pp (did you mean ppl?): there are id"},
		"twice":         {"ppl," + sizes + "\n", "", "t.csv:1: column ppl is there twice"},
		"few":           {sizes + "\na,1,64,64,4,5\n", "", "t.csv has 1 trained architectures: want 8 or more"},
		"missing":       {eight(sizes, "a,3,64,,4,5"), "", "t.csv:9: column d_inner is empty: want a whole number"},
		"missing ppl":   {eight(sizes, "a,3,64,64,4,"), "", "t.csv:9: column ppl is empty: want a number"},
		"word":          {eight(sizes, "a,3,wide,64,4,5"), "", `t.csv:9: column d_model is "wide": want a whole number`},
		"nan":           {eight(sizes, "a,3,64,64,4,NaN"), "", `t.csv:9: column ppl is "NaN": want a number`},
		"inf":           {eight(sizes, "a,3,64,64,4,1e999"), "", `t.csv:9: column ppl is "1e999": want a number`},
		"layers":        {eight(sizes, "a,3,64,64|64,4,5"), "", "t.csv:9: column d_inner has 2 numbers: want 1, or one for each of 3 layers"},
		"layer word":    {eight(sizes, "a,3,64,64|x|64,4,5"), "", `t.csv:9: column d_inner is "x": want a whole number`},
		"no layers":     {eight(sizes, "a,0,64,64,4,5"), "", "t.csv:9: column n_layer is 0: want 1 to"},
		"many layers":   {eight(sizes, "a,1000000000,64,64,4,5"), "", "t.csv:9: column n_layer is 1000000000: want 1 to"},
		"heads":         {eight(sizes, "a,3,64,64,5,5"), "", "t.csv:9: arch: n_head 5 does not divide d_model 64"},
		"short row":     {eight(sizes, "a,3,64"), "", "t.csv:9: wrong number of fields"},
		"quote":         {eight(sizes, "a,3,6\"4,64,4,5"), "", "t.csv:9: bare \" in non-quoted"},
		"same":          {sizes + strings.Repeat("\na,3,64,64,4,5", 8), "", "ppl is 5 in every row: nothing to rank"},
		"name":          {"candidate,ppl\ngpt3-l2,5\n", "", "t.csv:2: column candidate: "},
		"json":          {"candidate,ppl\n\"{\"\"spec\"\": {\"\"famly\"\": 1}}\",5\n", "", `t.csv:2: column candidate: arch: json: arch: json: json: unknown field "famly"`},
		"no model":      {"candidate,ppl\n\"{\"\"spec\"\": {\"\"family\"\": \"\"gpt2\"\"}}\",5\n", "", "t.csv:2: column candidate: arch: "},
		"too many rows": {sizes + strings.Repeat("\na,3,64,64,4,5", 1001), "", "t.csv:1002: more than 1000 rows"},
	} {
		_, err := proxy.Read(strings.NewReader(c.text), "t.csv", proxy.ReadOptions{Quality: c.quality})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// FuzzRead: whatever the bytes, no panic; and what is taken is a table of valid
// models with numbers.
func FuzzRead(f *testing.F) {
	f.Add([]byte(eight(sizes, "last,3,64,128|256|64,4|4|8,51.5")), "")
	f.Add([]byte("candidate,score\ngpt2-l2-d64-f64-h2,1\n"), "score")
	f.Add([]byte("n_layer,d_model,d_inner,n_head,n_kv_head,vocab,positions,ppl\n1,64,64,4,2,9,9,1\n"), "ppl")
	f.Add([]byte("candidate,ppl\n\"{\"\"spec\"\":{\"\"family\"\":\"\"lstm\"\"}}\",3\n"), "ppl")
	f.Add([]byte("\"a\nb\",ppl\n\x00,|"), "\xff")
	f.Fuzz(func(t *testing.T, data []byte, quality string) {
		table, err := proxy.Read(strings.NewReader(string(data)), "t.csv", proxy.ReadOptions{Quality: quality})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "proxy: t.csv") {
				t.Fatalf("error %q", err)
			}
			return
		}
		if len(table.Rows) < proxy.MinRows {
			t.Fatalf("%d rows", len(table.Rows))
		}
		if slices.ContainsFunc(table.Rows, func(r proxy.Row) bool {
			return math.IsNaN(r.Quality) || math.IsInf(r.Quality, 0) || r.Spec.Validate() != nil || r.Line < 2
		}) {
			t.Fatalf("%+v", table.Rows)
		}
	})
}
