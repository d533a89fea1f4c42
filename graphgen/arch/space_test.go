package arch

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func compile(t testing.TB, s Space) *Compiled {
	t.Helper()
	c, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPaperSpace(t *testing.T) {
	c := compile(t, PaperSpace())
	if c.Size() != 146900 || c.Count() != 20760 || c.Invalid() != 0 {
		t.Errorf("size %d, count %d, invalid %d", c.Size(), c.Count(), c.Invalid())
	}
	wide := PaperSpace()
	wide.Constraints = wide.Constraints[:2]
	if n := compile(t, wide).Count(); n != 27788 {
		t.Errorf("%d points of 120 to 180 million decoder parameters", n)
	}
	// What the default Build can run: GroupQueryAttention needs head_dim % 8 == 0.
	constraints, err := Build{}.SpaceConstraints()
	if err != nil {
		t.Fatal(err)
	}
	if n := compile(t, PaperSpace().With(constraints...)).Count(); n != 14310 {
		t.Errorf("%d points that the fused dialect runs", n)
	}
	for _, row := range paperTable {
		s := mustParse(t, row.name).Spec
		p := Point{len(s.Layers), s.DModel, s.Layers[0].DInner, s.Layers[0].NHead}
		// C1 has d_inner below d_model.
		if got, want := c.Contains(p), p.DInner >= 2*p.DModel; got != want {
			t.Errorf("%s is in the space: %t", row.name, got)
		}
		if !c.Spec(p).Equal(s) {
			t.Errorf("%+v is %s", p, c.Spec(p))
		}
	}
}

// TestPointsAgainstCounts goes the slow way over a part of the paper's space.
func TestPointsAgainstCounts(t *testing.T) {
	space := PaperSpace()
	space.DModel.Step, space.DInner.Step = 192, 320
	c := compile(t, space)
	var want []Point
	axes := c.Axes()
	for _, l := range axes[0] {
		for _, d := range axes[1] {
			for _, f := range axes[2] {
				for _, h := range axes[3] {
					p := Point{l, d, f, h}
					n := c.Spec(p).DecoderParams()
					if d%h == 0 && n >= 120e6 && n <= 180e6 && f >= 2*d {
						want = append(want, p)
					}
				}
			}
		}
	}
	got := slices.Collect(c.Points())
	if !slices.Equal(got, want) || c.Count() != len(want) {
		t.Errorf("%d points, want %d", len(got), len(want))
	}
	for range c.Points() {
		break // stopping early is allowed
	}
}

// TestClosedForm: what constraints see equals the Spec's counts.
func TestClosedForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space := PaperSpace()
		space.Family = rapid.SampledFrom([]Family{GPT2, LLaMA}).Draw(t, "family")
		if space.Family == LLaMA {
			space.HeadsPerKVHead = rapid.IntRange(0, 8).Draw(t, "heads_per_kv_head")
		}
		space.Untied = rapid.Bool().Draw(t, "untied")
		space.Tied = !space.Untied
		space.Vocab = rapid.IntRange(1, 300000).Draw(t, "vocab")
		space.Positions = rapid.IntRange(1, 5000).Draw(t, "positions")
		c := Compiled{space: space}
		h := rapid.IntRange(1, 64).Draw(t, "n_head")
		p := Point{rapid.IntRange(1, 50).Draw(t, "n_layer"), h * rapid.IntRange(1, 200).Draw(t, "head_dim"), rapid.IntRange(1, 9999).Draw(t, "d_inner"), h}
		s := c.Spec(p)
		want := variables{
			NLayer: p.NLayer, DModel: p.DModel, DInner: p.DInner, NHead: h, NKVHead: s.Layers[0].KVHeads(), HeadDim: s.HeadDimOf(0),
			Vocab: s.Vocab, Positions: s.Positions,
			DecoderParams: int(s.DecoderParams()), TotalParams: int(s.TotalParams()), EmbeddingParams: int(s.EmbeddingParams()),
			FlopsPerToken: int(s.FlopsPerToken()), KVBytesPerToken: int(s.KVBytesPerToken(Build{})),
		}
		var got variables
		if c.fill(&got, p); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// TestLLaMASpace: the family's defaults, shared keys and values, heads of even size.
func TestLLaMASpace(t *testing.T) {
	space := Space{
		Family: LLaMA, HeadsPerKVHead: 4,
		NLayer: Axis{Choices: []int{2}}, DModel: Axis{Choices: []int{60, 64}}, DInner: Axis{Choices: []int{96}}, NHead: Axis{Choices: []int{2, 4, 6, 8}},
	}
	c := compile(t, space)
	var got []string
	for p := range c.Points() {
		got = append(got, c.Spec(p).Name())
		if err := c.Spec(p).Validate(); err != nil {
			t.Error(err)
		}
	}
	// 60 has heads of 15 at n_head 4, and 8 does not divide it; 6 does not divide 64.
	want := []string{"llama-l2-d60-f96-h2-kv1", "llama-l2-d60-f96-h6-kv1", "llama-l2-d64-f96-h2-kv1", "llama-l2-d64-f96-h4-kv1", "llama-l2-d64-f96-h8-kv2"}
	if !slices.Equal(got, want) || c.Invalid() != 3 {
		t.Errorf("%d invalid, %v", c.Invalid(), got)
	}
	if s := c.Space(); !s.Untied || s.Vocab != 32000 || s.Positions != 2048 {
		t.Errorf("%+v", s)
	}
	space.Tied = true
	if s := compile(t, space.With("n_kv_head == 2")).Spec(Point{2, 64, 96, 8}); s.Name() != "llama-l2-d64-f96-h8-kv2-tied" || !s.Equal(space.Spec(Point{2, 64, 96, 8})) {
		t.Error(s.Name())
	}
	space.DModel.Choices, space.NHead.Choices = []int{12}, []int{4}
	var empty *EmptyError
	if _, err := space.Compile(); !errors.As(err, &empty) || !strings.Contains(err.Error(), "no n_head divides any d_model into heads of even size") {
		t.Error(err)
	}
}

// TestVariables: every name of the environment is listed and has its axes.
func TestVariables(t *testing.T) {
	var names []string
	for f := range reflect.TypeFor[variables]().Fields() {
		names = append(names, f.Tag.Get("expr"))
	}
	if !slices.Equal(names, Variables()) || len(dependsOn) != len(names) {
		t.Errorf("environment %v, names %v", names, Variables())
	}
	// A constraint on each depends on the axes it should: compare with a table over
	// all four.
	space := Space{NLayer: Axis{Min: 1, Max: 3}, DModel: Axis{Min: 8, Max: 24, Step: 4}, DInner: Axis{Min: 5, Max: 9, Step: 2}, NHead: Axis{Min: 1, Max: 6}}
	rotary := space
	rotary.Family, rotary.HeadsPerKVHead = LLaMA, 2
	for _, space := range []Space{space, rotary} {
		checkAxes(t, space, names)
	}
}

func checkAxes(t *testing.T, space Space, names []string) {
	t.Helper()
	all := compile(t, space)
	for _, name := range names {
		for _, mod := range []string{" % 3 == 0", " % 5 < 2"} {
			some, err := space.With(name + mod).Compile()
			slow, slowErr := space.With("let x = $env; x." + name + mod).Compile()
			if slowErr != nil {
				slow, slowErr = space.With("$env." + name + mod).Compile()
			}
			if (err == nil) != (slowErr == nil) {
				t.Fatalf("%s: %v, %v", name, err, slowErr)
			}
			if err != nil {
				continue
			}
			for p := range all.Points() {
				if some.Contains(p) != slow.Contains(p) {
					t.Errorf("%s%s: %+v", name, mod, p)
				}
			}
		}
	}
}

func TestDivisionIsTrueDivision(t *testing.T) {
	space := Space{NLayer: Axis{Choices: []int{1}}, DModel: Axis{Choices: []int{64}}, DInner: Axis{Choices: []int{96, 127, 128}}, NHead: Axis{Choices: []int{4}}}
	for constraint, want := range map[string]int{
		"d_inner/d_model >= 2":                          3 - 2,
		"d_inner/d_model > 1.5":                         2,
		"d_inner/d_model == 1.5 or n_head > 5":          1,
		"d_inner % 32 == 0 && n_layer in [1, 2]":        2,
		"max(d_inner, 127) == 127":                      2,
		"let r = d_inner/d_model; r >= 1.9 and r < 2":   1,
		"decoder_params < 1e9 and not (vocab != 50257)": 3,
		"true": 3,
		"n_layer < 2 ? d_inner > 100 : d_inner < 100":            2,
		"floor(d_inner/d_model) == 1 and kv_bytes_per_token > 0": 2,
	} {
		if n := compile(t, space.With(constraint)).Count(); n != want {
			t.Errorf("%s leaves %d, want %d", constraint, n, want)
		}
	}
}

func TestHeadsThatDoNotDivide(t *testing.T) {
	space := Space{NLayer: Axis{Min: 2, Max: 2}, DModel: Axis{Choices: []int{64, 96}}, DInner: Axis{Min: 64, Max: 64}, NHead: Axis{Choices: []int{4, 6, 5}}}
	c := compile(t, space.With("100 % head_dim >= 0"))
	want := []Point{{2, 64, 64, 4}, {2, 96, 64, 4}, {2, 96, 64, 6}}
	if got := slices.Collect(c.Points()); !slices.Equal(got, want) || c.Invalid() != 3 || c.Size() != 6 {
		t.Errorf("%v, %d invalid of %d", got, c.Invalid(), c.Size())
	}
	if c.Contains(Point{2, 64, 64, 6}) || c.Contains(Point{2, 64, 64, 3}) || c.Contains(Point{}) {
		t.Error("contains what is no point")
	}
	space.NHead.Choices = []int{5, 7}
	var empty *EmptyError
	if _, err := space.Compile(); !errors.As(err, &empty) || !strings.Contains(err.Error(), "no n_head divides any d_model") {
		t.Error(err)
	}
}

func TestContradictoryConstraints(t *testing.T) {
	_, err := PaperSpace().With("d_inner/d_model >= 20").Compile()
	var e *EmptyError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if last := e.Constraints[3]; e.Size != 146900 || last.Alone != 0 || last.Without != 20760 {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"no point of 146,900", "d_inner/d_model >= 20: alone it leaves 0 points, without it 20,760 are left", "change d_inner/d_model >= 20"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	_, err = PaperSpace().With("n_layer > 12", "n_layer < 8").Compile()
	if !errors.As(err, &e) || !strings.HasSuffix(err.Error(), "change n_layer > 12 or n_layer < 8") {
		t.Error(err)
	}
	_, err = PaperSpace().With("n_layer > 12", "n_layer < 8", "n_layer > 13").Compile()
	if !errors.As(err, &e) || !strings.HasSuffix(err.Error(), "change n_layer < 8") {
		t.Error(err)
	}
	_, err = PaperSpace().With("n_layer > 18", "n_layer < 6").Compile()
	if !errors.As(err, &e) || !strings.HasSuffix(err.Error(), "change at least two") {
		t.Error(err)
	}
}

func TestBadSpaces(t *testing.T) {
	ok := Space{NLayer: Axis{Min: 1, Max: 4}, DModel: Axis{Choices: []int{64}}, DInner: Axis{Min: 64, Max: 256, Step: 64}, NHead: Axis{Choices: []int{4}}}
	if compile(t, ok).Count() != 16 {
		t.Fatal("the space to start from is wrong")
	}
	for _, c := range []struct {
		change func(*Space)
		says   string
	}{
		{func(s *Space) { *s = Space{} }, "n_layer has no values"},
		{func(s *Space) { s.Family = "rwkv" }, `unknown family "rwkv"`},
		{func(s *Space) { s.Family = LSTM }, "a space is of models of transformer layers"},
		{func(s *Space) { s.HeadsPerKVHead = 4 }, "heads_per_kv_head 4: in gpt2 every head has keys and values of its own"},
		{func(s *Space) { s.Family, s.HeadsPerKVHead = LLaMA, -1 }, "heads_per_kv_head -1 is out of range"},
		{func(s *Space) { s.Tied, s.Untied = true, true }, "tied and untied are both true"},
		{func(s *Space) { s.Vocab = -1 }, "vocab -1"},
		{func(s *Space) { s.Positions = MaxPositions + 1 }, "positions 16777217"},
		{func(s *Space) { s.NLayer.Max = 0 }, "n_layer max 0 is out of range"},
		{func(s *Space) { s.NLayer.Min = -2 }, "n_layer min -2 is out of range"},
		{func(s *Space) { s.NLayer.Min = 5 }, "n_layer is empty: min 5 is above max 4"},
		{func(s *Space) { s.DInner.Step = -64 }, "d_inner step -64"},
		{func(s *Space) { s.DModel.Max = 70 }, "d_model has both choices and a range"},
		{func(s *Space) { s.NHead.Choices = []int{4, 8, 4} }, "n_head has the choice 4 twice"},
		{func(s *Space) { s.NHead.Choices = []int{0} }, "n_head 0 is out of range"},
		{func(s *Space) { s.NHead.Choices = []int{} }, "n_head has no values"},
		{func(s *Space) { s.DInner = Axis{Min: 1, Max: MaxDInner}; s.NLayer = Axis{Min: 1, Max: 1000} }, "1,048,576,000 points before the constraints: at most 8,388,608"},
		{func(s *Space) { s.Constraints = []string{"  "} }, "constraint 1"},
		{func(s *Space) { s.Constraints = []string{strings.Repeat("(", 5000)} }, "too long"},
		{func(s *Space) { s.Constraints = []string{"true", "decoder_parms > 3"} }, "constraint 2, decoder_parms > 3: column 1: unknown name decoder_parms: did you mean decoder_params?"},
		{func(s *Space) { s.Constraints = []string{"n_layer > 3 and zebra < 2"} }, "column 17: unknown name zebra: known are n_layer, d_model"},
		{func(s *Space) { s.Constraints = []string{"d_inner/d_model >="} }, "column 18: unexpected token EOF"},
		{func(s *Space) { s.Constraints = []string{"d_inner/d_model >= 2)"} }, "column 21"},
		{func(s *Space) { s.Constraints = []string{"d_inner/d_model"} }, "expected bool, but got float64"},
		{func(s *Space) { s.Constraints = []string{"d_inner + 'x' > 2"} }, "column 9"},
		{func(s *Space) { s.Constraints = []string{"d_inner / d_model % 2 == 0"} }, "column"},
		{func(s *Space) { s.Constraints = []string{"sqrt(d_model) > 2"} }, "unknown name sqrt"},
		{func(s *Space) { s.Constraints = []string{"d_model.x > 2"} }, "column"},
		{func(s *Space) { s.Constraints = []string{"d_inner % (n_layer - 2) == 0"} }, "column 9: runtime error: integer divide by zero (at gpt2-l2-"},
		{func(s *Space) { s.Constraints = []string{"n_layer > 2 ? true : 1"} }, "constraint 1"},
	} {
		s := ok
		c.change(&s)
		_, err := s.Compile()
		if err == nil || !strings.HasPrefix(err.Error(), "arch: space: ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

// TestSampleIsUniform: every point of a small space, dense or sparse, comes as
// often as the others.
func TestSampleIsUniform(t *testing.T) {
	space := Space{NLayer: Axis{Min: 1, Max: 40}, DModel: Axis{Min: 8, Max: 800, Step: 8}, DInner: Axis{Choices: []int{64}}, NHead: Axis{Choices: []int{1, 2}}}
	for _, constraint := range []string{"n_layer <= 5 and d_model <= 80", "n_layer % 10 == 1 and d_model <= 24"} {
		c := compile(t, space.With(constraint))
		rng := rand.New(rand.NewPCG(1, 2))
		seen := map[Point]int{}
		const each = 200
		for range each * c.Count() {
			p, err := c.Sample(rng)
			if err != nil || !c.Contains(p) {
				t.Fatalf("%+v, %v", p, err)
			}
			seen[p]++
		}
		var chi2 float64
		for p := range c.Points() {
			chi2 += math.Pow(float64(seen[p]-each), 2) / each
		}
		// Its mean is the degrees of freedom and its variance twice that.
		df := float64(c.Count() - 1)
		if limit := df + 5*math.Sqrt(2*df); chi2 > limit {
			t.Errorf("%s: chi squared %.0f over %d points, at most %.0f expected", constraint, chi2, c.Count(), limit)
		}
	}
	if _, err := compile(t, space).Sample(nil); err == nil {
		t.Error("a sample out of nothing")
	}
}

func TestCompiledIsSafeForConcurrentUse(t *testing.T) {
	c := compile(t, PaperSpace().With("n_layer == 7", "d_model == 1280", "d_inner == 6016"))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for range 100 {
				if p, err := c.Sample(rng); err != nil || p.DInner != 6016 {
					t.Errorf("%+v, %v", p, err)
				}
			}
			for p := range c.Points() {
				_ = c.Candidate(p, Build{}).Name()
			}
		})
	}
	wg.Wait()
}

const spaceYAML = `
family: gpt2
n_layer: {min: 6, max: 18, step: 1}
d_model: {min: 512, max: 2048, step: 64}
d_inner: {min: 1024, max: 8192, step: 64}
n_head: {choices: [4, 8, 16, 32]}
constraints:
  - decoder_params >= 120e6
  - decoder_params <= 180e6
  - d_inner/d_model >= 2
`

func TestParseSpace(t *testing.T) {
	s, err := ParseSpace("s.yaml", []byte(spaceYAML))
	if err != nil || !reflect.DeepEqual(s, PaperSpace()) {
		t.Fatalf("%+v, %v", s, err)
	}
	// The same through every reader and writer that a Space has.
	text, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseSpace("s.yaml", text); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("yaml: %s, %v", text, err)
	}
	var back Space
	if err := yaml.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("yaml: %+v, %v", back, err)
	}
	if text, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	back = Space{}
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("json: %s, %v", text, err)
	}
	var generic map[string]any
	if err := yaml.Unmarshal([]byte(spaceYAML), &generic); err != nil {
		t.Fatal(err)
	}
	back = Space{}
	if err := mapstructure.Decode(generic, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("mapstructure: %+v, %v", back, err)
	}
}

var badSpaceYAML = []struct {
	from, to string // an edit of spaceYAML
	line     int
	says     string
}{
	{"n_head: ", "n_heads: ", 6, "did you mean n_head?"},
	{"n_head: {choices: [4, 8, 16, 32]}", "", 2, "n_head is missing"},
	{"step: 64}\nd_inner", "stp: 64}\nd_inner", 4, `unknown key "stp" in d_model: did you mean step?`},
	{"max: 18", "max: 1e3", 3, "n_layer.max must be a whole number"},
	{"max: 18", "max: 5", 3, "n_layer is empty: min 6 is above max 5"},
	{"step: 1}", "step: 0}", 3, "n_layer.step 0 is out of range"},
	{"[4, 8, 16, 32]", "4", 6, "n_head.choices must be a list"},
	{"[4, 8, 16, 32]", "[]", 6, "n_head has no values"},
	{"d_inner/d_model >= 2", "d_inner/dmodel >= 2", 10, "column 9: unknown name dmodel: did you mean d_model?"},
	{"decoder_params <= 180e6", "decoder_params <= ", 9, "constraint 2"},
	{"decoder_params >= 120e6", "decoder_params: 3", 8, "constraints.0 must be text, got a mapping"},
	{"family: gpt2", "family: bert", 2, "unknown family"},
	{"family: gpt2", "vocab: 0", 2, "vocab 0"},
	{"family: gpt2", "vocab: 99999999", 2, "vocab 99999999"},
}

func TestBadSpaceYAML(t *testing.T) {
	for _, c := range badSpaceYAML {
		doc := strings.Replace(spaceYAML, c.from, c.to, 1)
		_, err := ParseSpace("s.yaml", []byte(doc))
		var e *Error
		if !errors.As(err, &e) || e.Line != c.line || e.Input != "s.yaml" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s -> %s: %v, want line %d, %q", c.from, c.to, err, c.line, c.says)
		}
	}
}

func FuzzParseSpace(f *testing.F) {
	f.Add([]byte(spaceYAML))
	for _, c := range badSpaceYAML {
		f.Add([]byte(strings.Replace(spaceYAML, c.from, c.to, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSpace("s.yaml", data)
		if err != nil {
			return
		}
		text, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseSpace("t.yaml", text); err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%s\nreads back as %+v, %v", text, back, err)
		}
	})
}

// BenchmarkEnumeratePaperSpace compiles the paper's space, constraints included,
// and goes over all its points.
func BenchmarkEnumeratePaperSpace(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range compile(b, PaperSpace()).Points() {
			n++
		}
		if n != 20760 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/146900, "ns/point")
}

// BenchmarkCountsOfPaperSpace makes a Spec of every point and counts it.
func BenchmarkCountsOfPaperSpace(b *testing.B) {
	c := compile(b, PaperSpace())
	b.ReportAllocs()
	for b.Loop() {
		for p := range c.Points() {
			_ = c.Candidate(p, Build{}).Counts()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.Count()), "ns/candidate")
}
