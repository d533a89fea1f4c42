package search_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"

	"pgregory.net/rapid"
)

func homogeneous(t testing.TB) *search.Homogeneous { return spaceOf(small(t)) }

// stacks is a space of every layer type with some thousands of points.
var stacks = search.Layers{
	Vocab: 300, Positions: 64,
	DModel: arch.Axis{Choices: []int{32, 48}}, NLayer: arch.Axis{Min: 1, Max: 3},
	Types: []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
	NHead: arch.Axis{Choices: []int{1, 3}}, DInner: arch.Axis{Choices: []int{64, 96}}, Hidden: arch.Axis{Choices: []int{16, 32}},
	Constraints: []string{"decoder_params >= 10e3", "d_inner/d_model >= 1.5"},
}

func layerwise(t testing.TB, d search.Layers) *search.Layerwise {
	t.Helper()
	s, err := d.Compile(arch.Build{Dialect: arch.Portable})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func joint(t testing.TB, base search.Enumerable) *search.Joint {
	t.Helper()
	s, err := search.NewJoint(base,
		search.DialectAxis([]arch.Dialect{arch.Portable, arch.Fused}),
		search.PrecisionAxis([]arch.Precision{{Type: arch.Unquantized}, {Type: arch.Int4, Block: 32}, {Type: arch.Int4, Block: 128}}),
		search.ThreadsAxis([]int{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// floats is both types of floats, where what a token adds to the cache is bounded.
func floats(t testing.TB, base search.Enumerable) *search.Joint {
	t.Helper()
	c, err := arch.CompileConstraints([]string{"kv_bytes_per_token <= 1100"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := search.NewConstrainedJoint(c, base, search.FloatAxis([]arch.FloatType{arch.FP32, arch.FP16}), search.ThreadsAxis([]int{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A constraint on what builds differ in is of each point's own build.
func TestJointConstrained(t *testing.T) {
	base := homogeneous(t)
	s := floats(t, base)
	left := map[arch.FloatType]int{}
	for g := range s.All() {
		c := s.Candidate(g)
		if n := c.Counts().KVBytesPerToken; n > 1100 {
			t.Fatalf("%s has %d bytes a token", c.Name(), n)
		}
		if got := s.Builds()[s.Place(g)]; !got.Equal(c.Build) {
			t.Fatalf("%s is said to run as %s", c.Name(), got.Name())
		}
		left[c.Build.Float]++
	}
	if !(left[arch.FP16] > left[arch.FP32] && left[arch.FP32] > 0) {
		t.Errorf("%v are left", left)
	}
	if free, err := search.NewJoint(base, search.FloatAxis([]arch.FloatType{arch.FP32, arch.FP16}), search.ThreadsAxis([]int{1, 2})); err != nil || free.Hash() == s.Hash() {
		t.Errorf("%v, or spaces with other constraints have one hash", err)
	}
	none, err := arch.CompileConstraints([]string{"kv_bytes_per_token < 2"})
	if err != nil {
		t.Fatal(err)
	}
	infeasible := new(search.InfeasibleError)
	if _, err := search.NewConstrainedJoint(none, base, search.FloatAxis([]arch.FloatType{arch.FP16})); !errors.As(err, &infeasible) || !strings.Contains(err.Error(), "does not satisfy kv_bytes_per_token < 2") {
		t.Errorf("%v", err)
	}
}

// spaces are the implementations, each with a constraint or more.
func spaces(t testing.TB) map[string]search.Enumerable {
	wide, err := arch.Space{
		NLayer: arch.Axis{Min: 1, Max: 3}, DModel: arch.Axis{Choices: []int{36, 48, 64}}, DInner: arch.Axis{Choices: []int{64, 128}},
		NHead: arch.Axis{Choices: []int{1, 2, 3}}, Constraints: []string{"d_inner > d_model"},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	gpt := stacks
	gpt.Types, gpt.Hidden, gpt.NLayer = nil, arch.Axis{}, arch.Axis{Choices: []int{1, 3}}
	return map[string]search.Enumerable{
		"homogeneous":            homogeneous(t),
		"layerwise":              layerwise(t, gpt),
		"layerwise, mixed":       layerwise(t, stacks),
		"joint with homogeneous": joint(t, search.NewHomogeneous(wide, arch.Build{})),
		"joint with layerwise":   joint(t, layerwise(t, gpt)),
		"constrained joint":      floats(t, search.NewHomogeneous(wide, arch.Build{Dialect: arch.Portable})),
	}
}

// every calls f with every genome whose indices fit.
func every(genes []search.Gene, f func(search.Genome)) {
	indices := make([]int, len(genes))
	for {
		f(search.NewGenome(indices...))
		k := len(indices) - 1
		for ; k >= 0; k-- {
			if indices[k]++; indices[k] < genes[k].Count() {
				break
			}
			indices[k] = 0
		}
		if k < 0 {
			return
		}
	}
}

// What a space says of itself agrees with going through every genome there is.
func TestSpacesAgainstEveryGenome(t *testing.T) {
	for name, s := range spaces(t) {
		var want []search.Genome
		canonical := 0.0
		names := map[string]search.Genome{}
		genomes := 1.0
		for _, g := range s.Genes() {
			genomes *= float64(g.Count())
		}
		if genomes > 1<<21 {
			t.Fatalf("%s has %g genomes, too many for this test", name, genomes)
		}
		every(s.Genes(), func(g search.Genome) {
			c := s.Canonical(g)
			if s.Canonical(c) != c {
				t.Fatalf("%s: %v has the canonical form %v, and that has another", name, g, c)
			}
			if c != g {
				if s.Contains(g) {
					t.Fatalf("%s: %v is contained and not canonical", name, g)
				}
				return
			}
			canonical++
			if !s.Contains(g) {
				return
			}
			want = append(want, g)
			candidate := s.Candidate(g)
			if err := candidate.Validate(); err != nil {
				t.Fatalf("%s: %v: %v", name, g, err)
			}
			if old, twice := names[candidate.Name()]; twice {
				t.Fatalf("%s: %v and %v are both %s", name, old, g, candidate.Name())
			}
			names[candidate.Name()] = g
		})
		if got := slices.Collect(s.All()); !slices.Equal(got, want) {
			t.Errorf("%s: All gives %d points, there are %d", name, len(got), len(want))
		}
		if s.Size() != canonical {
			t.Errorf("%s: size %v, there are %v", name, s.Size(), canonical)
		}
		if n, exact := s.Count(); exact && n != float64(len(want)) || math.Abs(n/float64(len(want))-1) > 0.1 {
			t.Errorf("%s: count %v (exact: %v), there are %d", name, n, exact, len(want))
		}
		rng, drawn := rand.New(rand.NewPCG(1, 1)), map[search.Genome]bool{}
		for range 30 * len(want) {
			g, err := s.Random(rng)
			if err != nil || !s.Contains(g) {
				t.Fatalf("%s: drew %v, %v", name, g, err)
			}
			drawn[g] = true
		}
		if share := float64(len(drawn)) / float64(len(want)); share < 0.95 {
			t.Errorf("%s: 30 draws a point met %.3f of the points", name, share)
		}
		t.Logf("%s: %d of %.0f points, %d builds", name, len(want), canonical, len(s.Builds()))
	}
}

func TestDescribeParse(t *testing.T) {
	for name, s := range spaces(t) {
		rapid.Check(t, func(t *rapid.T) {
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			g, err := s.Random(rng)
			if err != nil {
				t.Fatal(err)
			}
			text := s.Describe(g)
			if !json.Valid(text) {
				t.Fatalf("%s: %s is no JSON", name, text)
			}
			if back, err := s.Parse(text); err != nil || back != g {
				t.Fatalf("%s: %s is read back as %v (%v), was %v", name, text, back, err, g)
			}
		})
	}
	s := layerwise(t, stacks)
	g, err := s.Parse(json.RawMessage(`{"d_model":32,"n_layer":2,"layer.0.type":"gru","layer.0.hidden":32,"layer.1.type":"transformer","layer.1.n_head":1,"layer.1.d_inner":96}`))
	if err != nil {
		t.Fatal(err)
	}
	want := arch.Spec{Family: arch.Mixed, Vocab: 300, Positions: 64, DModel: 32, Layers: []arch.Layer{
		{Type: arch.GRU, Hidden: 32}, {Type: arch.Transformer, NHead: 1, DInner: 96},
	}}
	if got := s.Candidate(g).Spec; !got.Equal(want) {
		t.Errorf("read as %+v, want %+v", got, want)
	}
	for _, c := range []struct{ text, want string }{
		{`[]`, "want an object of sizes"},
		{`{"d_model":33}`, "d_model: 33 is none of its 2 values, 32 to 48"},
		{`{"d_model":"32"}`, "d_model: json"},
		{`{"d_inner":32}`, `the space has no "d_inner"; it has d_model, n_layer, layer.0.type`},
		{`{"d_model":32,"n_layer":1,"layer.0.type":"rnn"}`, `no choice "rnn"; there are transformer, lstm, gru`},
		{`{"d_model":32,"n_layer":1,"layer.0.type":"gru","layer.0.n_head":3}`, "sizes of what is not there"},
		{`{"d_model":32,"n_layer":1,"layer.0.type":"gru"}`, "not those of what is"},
		{`{"d_model":32,"n_layer":1,"layer.0.type":"gru","layer.0.hidden":16,"layer.1.hidden":16}`, "sizes of what is not there"},
	} {
		if g, err := s.Parse(json.RawMessage(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s is read as %v, %v, want %q", c.text, g, err, c.want)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	s := joint(f, layerwise(f, stacks))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 4 {
		g, err := s.Random(rng)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(s.Describe(g)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := s.Parse(data)
		if err != nil {
			return
		}
		if s.Canonical(g) != g {
			t.Fatalf("%s is read as %v, which is not canonical", data, g)
		}
		if back, err := s.Parse(s.Describe(g)); err != nil || back != g {
			t.Fatalf("%s is read as %v, and its description as %v, %v", data, g, back, err)
		}
	})
}

func TestNeighbours(t *testing.T) {
	for name, s := range spaces(t) {
		rng := rand.New(rand.NewPCG(2, 2))
		for range 50 {
			g, err := s.Random(rng)
			if err != nil {
				t.Fatal(err)
			}
			for _, share := range []float64{0, 0.1, 0.5, 1} {
				seen := map[search.Genome]bool{g: true}
				for n := range search.Apart(s, g, share) {
					if seen[n] || !s.Contains(n) {
						t.Fatalf("%s: %v has the neighbour %v twice or outside the space", name, g, n)
					}
					seen[n] = true
				}
			}
		}
	}
}

// A step is a share of an axis, at least to the next size and at most to the end.
func TestApart(t *testing.T) {
	space, err := arch.Space{
		NLayer: arch.Axis{Min: 1, Max: 8}, DModel: arch.Axis{Min: 64, Max: 1024, Step: 64}, DInner: arch.Axis{Min: 512, Max: 512, Step: 64},
		NHead: arch.Axis{Choices: []int{2, 4}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	s := search.NewHomogeneous(space, arch.Build{})
	g, _ := s.Genome(arch.Point{NLayer: 3, DModel: 640, DInner: 512, NHead: 2})
	for share, want := range map[float64][][2]int{ // n_layer and d_model
		0:    {{2, 640}, {4, 640}, {3, 576}, {3, 704}},
		0.25: {{1, 640}, {5, 640}, {3, 384}, {3, 896}},
		0.5:  {{1, 640}, {7, 640}, {3, 128}, {3, 1024}},
	} {
		var got [][2]int
		for n := range search.Apart(s, g, share) {
			if pt := s.Point(n); pt.NHead == 2 {
				got = append(got, [2]int{pt.NLayer, pt.DModel})
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%g apart are %v, want %v", share, got, want)
		}
	}
}

func TestNeighboursOfAPoint(t *testing.T) {
	s := homogeneous(t)
	g, _ := s.Genome(arch.Point{NLayer: 2, DModel: 128, DInner: 1024, NHead: 4})
	var got []arch.Point
	for n := range search.Neighbours(s, g) {
		got = append(got, s.Point(n))
	}
	var want []arch.Point
	for _, n := range [][4]int{{3, 128, 1024, 4}, {2, 64, 1024, 4}, {2, 192, 1024, 4}, {2, 128, 768, 4}, {2, 128, 1280, 4}, {2, 128, 1024, 2}, {2, 128, 1024, 8}} {
		want = append(want, arch.Point{NLayer: n[0], DModel: n[1], DInner: n[2], NHead: n[3]})
	}
	if !slices.Equal(got, want) {
		t.Errorf("neighbours %v, want %v", got, want)
	}
}

func TestFresh(t *testing.T) {
	s := layerwise(t, stacks)
	all := slices.Collect(s.All())
	gone := map[search.Genome]bool{}
	for _, g := range all[3:] {
		gone[g] = true
	}
	rng := rand.New(rand.NewPCG(3, 3))
	got := search.Fresh(s, rng, 10, func(g search.Genome) bool { return gone[g] })
	slices.Sort(got)
	if !slices.Equal(got, all[:3]) {
		t.Errorf("of three points that are left %v were drawn, want %v", got, all[:3])
	}
	if got := search.Fresh(s, rng, 100, func(search.Genome) bool { return false }); len(got) != 100 {
		t.Errorf("%d of 100 points were drawn", len(got))
	}
}

func TestGenome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		indices := rapid.SliceOfN(rapid.IntRange(0, search.MaxGeneValues-1), 1, 40).Draw(t, "indices")
		g := search.NewGenome(indices...)
		if got := g.AppendIndices(nil); !slices.Equal(got, indices) || g.Len() != len(indices) {
			t.Fatalf("%v came back as %v", indices, got)
		}
		i, v := rapid.IntRange(0, len(indices)-1).Draw(t, "gene"), rapid.IntRange(0, search.MaxGeneValues-1).Draw(t, "value")
		other := slices.Clone(indices)
		other[i] = v
		if got := g.With(i, v); got != search.NewGenome(other...) || got.At(i) != v {
			t.Fatalf("%v with %d at %d is %v", g, v, i, got)
		}
		if (slices.Compare(indices, other) < 0) != (g < g.With(i, v)) {
			t.Fatalf("%v and %v do not sort as their indices do", indices, other)
		}
	})
	for _, bad := range []int{-1, search.MaxGeneValues} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("an index of %d should panic", bad)
				}
			}()
			search.NewGenome(bad)
		}()
	}
}

func TestLayersRefuse(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*search.Layers)
	}{
		{"no depth", "n_layer has no values", func(d *search.Layers) { d.NLayer = arch.Axis{} }},
		{"too deep", "n_layer max 1000", func(d *search.Layers) { d.NLayer.Max = 1000 }},
		{"unknown type", `unknown layer type "rnn"`, func(d *search.Layers) { d.Types = []arch.LayerType{"rnn"} }},
		{"a type twice", "layer type gru twice", func(d *search.Layers) { d.Types = []arch.LayerType{arch.GRU, arch.GRU} }},
		{"no heads", "n_head has no values", func(d *search.Layers) { d.NHead = arch.Axis{} }},
		{"sizes of nothing", "sizes for hidden, and no layers that have any", func(d *search.Layers) { d.Types = nil }},
		{"another family's", "a layer of type lstm", func(d *search.Layers) { d.Family = arch.LLaMA }},
		{"expression", `did you mean d_inner?`, func(d *search.Layers) { d.Constraints = []string{"d_iner > 2"} }},
		{"both kinds of layers", "write one constraint for each", func(d *search.Layers) { d.Constraints = []string{"hidden > d_inner"} }},
	} {
		d := stacks
		c.change(&d)
		if _, err := d.Compile(arch.Build{}); err == nil || !strings.HasPrefix(err.Error(), "search: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestInfeasible(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	d := stacks
	d.Constraints = []string{"n_layer <= 3", "decoder_params >= 1e6", "hidden >= 16"}
	_, err := d.Compile(arch.Build{Dialect: arch.Portable})
	var e *search.InfeasibleError
	if !errors.As(err, &e) || !e.Exact || e.Looked != 2*(8+8*8+8*8*8) {
		t.Fatalf("%v, %+v", err, e)
	}
	if c := e.Constraints; c[0].Without != 0 || c[1].Alone != 0 || c[1].Without == 0 || c[2].Without != 0 || c[0].Alone != c[1].Without {
		t.Errorf("counts %+v", c)
	}
	if text := err.Error(); !strings.HasSuffix(text, "change decoder_params >= 1e6") || !strings.Contains(text, "no point of 1168 is left") {
		t.Errorf("%s", text)
	}
	// Of a space that is too large to be gone through, by a sample.
	d.NLayer.Max = 12
	d.Constraints = []string{"decoder_params >= 1e6", "decoder_params <= 1e5"}
	if _, err = d.Compile(arch.Build{}); !errors.As(err, &e) || e.Exact || !strings.Contains(err.Error(), "points drawn from") {
		t.Errorf("%v", err)
	}
	if c := e.Constraints; c[0].Without == 0 || c[1].Without != 0 { // none of 12 layers reaches a million
		t.Errorf("counts %+v", c)
	}
	// An expression without a value is named, and not the constraint blamed.
	d.Constraints = []string{"d_model % (n_layer - n_layer) == 0"}
	if _, err = d.Compile(arch.Build{}); err == nil || errors.As(err, &e) && e.Constraints[0].Constraint == d.Constraints[0] || !strings.Contains(err.Error(), "constraint 1") {
		t.Errorf("%v", err)
	}
	// A build that nothing of the space runs as.
	narrow, err := arch.Space{
		NLayer: arch.Axis{Min: 1, Max: 2}, DModel: arch.Axis{Choices: []int{36}}, DInner: arch.Axis{Choices: []int{64}}, NHead: arch.Axis{Choices: []int{3}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	_, err = search.NewJoint(search.NewHomogeneous(narrow, arch.Build{Dialect: arch.Portable}), search.DialectAxis([]arch.Dialect{arch.Fused}))
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "head_dim") {
		t.Errorf("%v", err)
	}
}

func TestJoint(t *testing.T) {
	base := homogeneous(t)
	s := joint(t, base)
	g, err := s.Parse(json.RawMessage(`{"n_layer":6,"d_model":256,"d_inner":1024,"n_head":4,"dialect":"portable","precision":"int4b128","threads":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Candidate(g).Name(); got != "gpt2-l6-d256-f1024-h4+portable+int4b128+t2" {
		t.Errorf("candidate %s", got)
	}
	of, build := s.Split(g)
	if base.Point(of) != (arch.Point{NLayer: 6, DModel: 256, DInner: 1024, NHead: 4}) || build.Name() != "+portable+int4b128+t2" {
		t.Errorf("split into %v and %s", base.Point(of), build.Name())
	}
	list, err := search.NewJoint(base, search.BuildList([]arch.Build{{}, {Precision: arch.Precision{Type: arch.Int4}}}))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(list.Describe(search.NewGenome(4, 3, 3, 1, 0))); got != `{"n_layer":6,"d_model":256,"d_inner":1024,"n_head":4,"build":"default"}` {
		t.Errorf("described as %s", got)
	}
	if list.Hash() == s.Hash() || list.Hash() == base.Hash() {
		t.Error("spaces with other builds have one hash")
	}
	for want, axes := range map[string][]search.BuildAxis{
		"build has the choice +int4b32 twice": {search.BuildList([]arch.Build{{Precision: arch.Precision{Type: arch.Int4, Block: 32}}, {Precision: arch.Precision{Type: arch.Int4}}})},
		"threads has the choice 1 twice":      {search.ThreadsAxis([]int{1, 1})},
		"not in ascending order":              {search.ThreadsAxis([]int{2, 1})},
		"threads is there twice":              {search.ThreadsAxis([]int{1}), search.ThreadsAxis([]int{2})},
		"gene precision has no values":        {search.PrecisionAxis(nil)},
		"threads -1":                          {search.ThreadsAxis([]int{-1, 1})},
	} {
		if _, err := search.NewJoint(base, axes...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Counting over a reused list of layers says what counting the candidate says.
func TestCountOfHomogeneous(t *testing.T) {
	for _, family := range []arch.Space{{Family: arch.GPT2}, {Family: arch.LLaMA, HeadsPerKVHead: 4, Vocab: 1000, Tied: true}} {
		space := family
		space.NLayer, space.DModel = arch.Axis{Min: 1, Max: 9}, arch.Axis{Min: 64, Max: 512, Step: 64}
		space.DInner, space.NHead = arch.Axis{Min: 64, Max: 640, Step: 64}, arch.Axis{Choices: []int{2, 4, 8}}
		c, err := space.Compile()
		if err != nil {
			t.Fatal(err)
		}
		p := problem(c, arch.Build{Precision: arch.Precision{Type: arch.Int4}})
		p.Objectives = append(p.Objectives, search.WeightBytes, search.BytesPerToken, search.MemoryBytes, search.FlopsPerToken, search.WeightBits)
		rapid.Check(t, func(t *rapid.T) {
			g, err := p.Space.Random(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
			if err != nil {
				t.Fatal(err)
			}
			got, want := make([]float64, len(p.Objectives)), make([]float64, len(p.Objectives))
			p.Count(g, got)
			p.CountOf(p.Candidate(g), want)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", p.Candidate(g).Name(), got, want)
			}
		})
	}
}
