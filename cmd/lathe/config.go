package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"lathe/graphgen/arch"
	"lathe/profiler/nightly"
)

// configFile is looked for in the working folder where --config names none.
const configFile = "lathe.yaml"

// config is everything that can be set, in a file, by LATHE_* variables and by
// flags. The keys are the mapstructure names, joined by dots.
type config struct {
	CacheDir string        `mapstructure:"cache_dir"`
	Store    string        `mapstructure:"store"`
	Runtime  runtimeConfig `mapstructure:"runtime"`
	Hub      hubConfig     `mapstructure:"hub"`
	Baseline string        `mapstructure:"baseline"`
	Build    string        `mapstructure:"build"`
	Seed     uint64        `mapstructure:"seed"`
	Timing   timingConfig  `mapstructure:"timing"`
	Search   searchConfig  `mapstructure:"search"`
	Train    trainConfig   `mapstructure:"train"`
	Nightly  nightlyConfig `mapstructure:"nightly"`
	Study    studyConfig   `mapstructure:"study"`
	Space    spaceConfig   `mapstructure:"space"`
}

type runtimeConfig struct {
	Library   string `mapstructure:"library"`
	Offline   bool   `mapstructure:"offline"`
	HugePages bool   `mapstructure:"huge_pages"`
}

type hubConfig struct {
	Cache string `mapstructure:"cache"`
}

type timingConfig struct {
	PromptTokens    int `mapstructure:"prompt_tokens" json:"prompt_tokens"`
	GeneratedTokens int `mapstructure:"generated_tokens" json:"generated_tokens"`
	PLPairs         int `mapstructure:"pl_pairs" json:"pl_pairs"`
	TLPairs         int `mapstructure:"tl_pairs" json:"tl_pairs"`
	RequestPairs    int `mapstructure:"request_pairs" json:"request_pairs"`

	// Of requests, which a search does not time.
	Workload   string `mapstructure:"workload" json:"-"`
	ThinkMaxMS int    `mapstructure:"think_max_ms" json:"-"`

	// Where, and not what: two sessions that differ in these are of one plan.
	CPUs    string `mapstructure:"cpus" json:"-"`
	Isolate bool   `mapstructure:"isolate" json:"-"`
}

type searchConfig struct {
	Method        string  `mapstructure:"method"`
	By            string  `mapstructure:"by"`
	Quality       string  `mapstructure:"quality"`
	Proxy         string  `mapstructure:"proxy"`
	Samples       int     `mapstructure:"samples"`
	Visits        int     `mapstructure:"visits"`
	Iterations    int     `mapstructure:"iterations"`
	CostWeight    float64 `mapstructure:"cost_weight"`
	Population    int     `mapstructure:"population"`
	Evaluations   int     `mapstructure:"evaluations"`
	RequestTokens int     `mapstructure:"request_tokens"`

	Builds         string `mapstructure:"builds"`
	LoadableBy     string `mapstructure:"loadable_by"`
	Objectives     string `mapstructure:"objectives"`
	Limits         string `mapstructure:"limits"`
	Trained        string `mapstructure:"trained"`
	TrainedQuality string `mapstructure:"trained_quality"`
	TrainedHigher  bool   `mapstructure:"trained_higher_is_better"`
}

// nightlyConfig is what lathe nightly follows, and how.
type nightlyConfig struct {
	Track             []string `mapstructure:"track"`
	MinEffect         float64  `mapstructure:"min_effect"`
	BudgetS           int      `mapstructure:"budget_s"`
	MinSessions       int      `mapstructure:"min_sessions"`
	MaxSessions       int      `mapstructure:"max_sessions"`
	ReferenceSessions int      `mapstructure:"reference_sessions"`
	Copies            string   `mapstructure:"copies"`
	Keep              int      `mapstructure:"keep"`
	KeepSamples       int      `mapstructure:"keep_samples"`
}

// setting is one key: its default and what it means.
type setting struct {
	key  string
	def  any
	help string
}

// settings are all keys but those below space, in the order they are shown.
var settings = append([]setting{
	{"cache_dir", "", "folder of the ONNX Runtime library and the weights pool; empty: lathe/ in the user's cache folder"},
	{"store", "lathe.db", "file of measurements, models and fronts"},
	{"runtime.library", "", "ONNX Runtime library to use; empty: found or obtained"},
	{"runtime.offline", false, "never use the network"},
	{"runtime.huge_pages", true, "time sessions in huge pages where the system has them: without, equal sessions differ by 5 %"},
	{"hub.cache", "", "folder that models of Hugging Face's hub are kept in; empty: the one that transformers uses"},
	{"baseline", "gpt2-l12-d1024-f4096-h16", "candidate, or ONNX file, that the others are compared with"},
	{"build", "", "how candidates run, as in their names: +portable, +int4b32, +t2, ...; empty: fused, fp32, 1 thread, cpu"},
	{"seed", uint64(1), "seed of everything that is drawn at random"},
	{"timing.prompt_tokens", 64, "tokens of the prompt whose latency (PL) is timed"},
	{"timing.generated_tokens", 16, "tokens decoded after it, one by one (TL)"},
	{"timing.pl_pairs", 16, "pairs of prompt timings, candidate and baseline"},
	{"timing.tl_pairs", 128, "pairs of token timings"},
	{"timing.request_pairs", 0, "pairs of whole requests, for P95 latency_char; an interval takes 72, a session of lathe nightly 59"},
	{"timing.workload", "default", "requests to time: default (back to back), typing (with the pauses of someone typing), or a trace FILE"},
	{"timing.think_max_ms", 2000, "longest pause before a request, in milliseconds; longer ones of the workload are cut to it"},
	{"timing.cpus", "", "CPUs that sessions are pinned to: auto, or one number a thread, such as 0,1; empty: wherever the system puts them"},
	{"timing.isolate", true, "hold sessions in a process of their own, whose crash is a failed candidate and not the end"},
	{"search.method", modelBased, methods},
	{"search.by", "model", "what says how fast a candidate is: model or measure"},
	{"search.quality", byProxy, "what says how good a candidate is: proxy (search.proxy), or trained, the loss on held-out text after a training"},
	{"search.proxy", "decoder_params", "what ranks quality without training: decoder_params, total_params or fitted (see lathe proxy)"},
	{"search.trained", "", "CSV file of architectures that you have trained, which proxy fitted learns from"},
	{"search.trained_quality", "", "its column of what training gave; empty: perplexity, ppl, val_ppl, loss or val_loss"},
	{"search.trained_higher_is_better", false, "that column is one of which more is better, such as an accuracy"},
	{"search.objectives", "quality,latency", "what candidates are compared by: quality, latency, pl, tl, throughput, weight_bytes, bytes_per_token, memory_bytes, flops_per_token, weight_bits"},
	{"search.limits", "", "bounds on objectives, such as weight_bytes <= 200e6, latency <= 1"},
	{"search.builds", "", "several ways for candidates to run, searched together, such as default,+int8,+int4b32+t2 or precision=fp32,int8;threads=1,2; empty: build"},
	{"search.samples", 24, "candidates measured for the latency model: chosen as it learns if model-based, at random otherwise"},
	{"search.visits", 2, "sessions, minutes apart, that the pairs of each sample are spread over"},
	{"search.loadable_by", "", "programs that must be able to open every candidate as lathe export writes it: of optimum, transformers.js, genai, with commas between; empty: none"},
	{"search.iterations", 10, "iterations of evolve, generations of nsga2"},
	{"search.evaluations", 0, "most candidates that a search evaluates; 0: as many as search.samples if model-based, otherwise no limit"},
	{"search.request_tokens", 4, "generated tokens of the request whose latency is minimised"},
	{"search.population", 0, "candidates of the first batch of evolve and alphanas, of nsga2's population, of a batch of local, random and stratified; 0: the method's default"},
	{"nightly.track", []string{}, "what lathe nightly times: candidates, ONNX files, and folders with one; in a variable parted by commas"},
	{"nightly.min_effect", nightly.DefaultMinEffect, "least change of a time that matters to lathe nightly, as a share: 0.03 is 3 %"},
	{"nightly.budget_s", 1800, "seconds after which a night takes no more sessions to be sure; 0: no limit"},
	{"nightly.min_sessions", nightly.DefaultMinSessions, "sessions of each thing a night, at least: a process each"},
	{"nightly.max_sessions", nightly.DefaultMaxSessions, "and at most"},
	{"nightly.reference_sessions", nightly.DefaultReferenceSessions, "sessions of a reference"},
	{"nightly.copies", "", "folder that copies of a reference's files are kept in, to be timed beside what replaces them; empty: none are made"},
	{"nightly.keep", 400, "nights of each machine that the history keeps, references besides; 0: all"},
	{"nightly.keep_samples", 30, "nights whose raw samples are kept; 0: all"},
	{"search.cost_weight", 1.0, "weight of cost against performance in what alphanas looks for, each as a share of its range; 0: performance alone"},
}, slices.Concat(trainSettings, studySettings)...)

// loaded is the configuration in force and where each value came from.
type loaded struct {
	config
	v     *viper.Viper
	file  string         // "" if there is none
	lines map[string]int // of keys in the file
	flags map[string]*pflag.Flag

	configured string // hash of the space, before --space and --constraint
}

// loadConfig joins defaults, file, environment and flags, in viper's order of
// precedence. flags maps keys to the flags that set them.
func loadConfig(file string, flags map[string]*pflag.Flag) (*loaded, error) {
	l := newLoaded()
	l.flags = flags
	if err := l.readFile(file); err != nil {
		return nil, badInput(err)
	}
	for key, f := range flags {
		if err := l.v.BindPFlag(key, f); err != nil {
			return nil, err
		}
	}
	if err := l.checkEnv(); err != nil {
		return nil, badInput(err)
	}
	return l, badInput(l.decode())
}

// newLoaded has the defaults, and listens to the environment.
func newLoaded() *loaded {
	l := &loaded{v: viper.New()}
	l.v.SetEnvPrefix("LATHE")
	l.v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	for _, s := range settings {
		l.v.SetDefault(s.key, s.def)
		l.v.MustBindEnv(s.key)
	}
	return l
}

// decode fills in the configuration from what has been read.
func (l *loaded) decode() error {
	if err := l.v.UnmarshalExact(&l.config); err != nil {
		return fmt.Errorf("configuration: %s: %w", l.file, err)
	}
	if err := l.Space.complete(); err != nil {
		return fmt.Errorf("configuration: %s: %w", l.file, err)
	}
	l.fillSpace()
	space, err := json.Marshal(l.Space)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(space)
	l.configured = hex.EncodeToString(sum[:])
	return nil
}

// checkEnv refuses a LATHE_ variable that sets nothing, which is a typing error,
// and one whose value is of the wrong kind. One that is empty counts as not set.
func (l *loaded) checkEnv() error {
	var known []string
	for _, s := range settings {
		name := envName(s.key)
		known = append(known, name)
		if v := os.Getenv(name); v != "" && !s.parses(v) {
			return fmt.Errorf("environment: %s is %q; it must be %s", name, v, s.kind().want)
		}
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		ours := strings.HasPrefix(name, "LATHE_") && name != "LATHE_SHARED" && name != "LATHE_TEST_NETWORK" // which tests read
		if ours && !slices.Contains(known, name) {
			return fmt.Errorf("environment: unknown variable %s: %s", name, meant(name, known))
		}
	}
	return nil
}

// parses reports whether a variable's text is a value of the setting, as
// mapstructure will read it.
func (s setting) parses(text string) bool {
	var err error
	switch s.def.(type) {
	case []string:
	case bool:
		_, err = strconv.ParseBool(text)
	case int:
		_, err = strconv.ParseInt(text, 0, strconv.IntSize)
	case uint64:
		_, err = strconv.ParseUint(text, 0, 64)
	case float64:
		_, err = strconv.ParseFloat(text, 64)
	}
	if k, ok := narrower[s.key]; ok && !k.holds(&yaml.Node{Kind: yaml.ScalarNode, Value: text}) {
		return false
	}
	return err == nil
}

// fillSpace completes the space with the paper's axes and constraints where the
// file leaves them out.
func (l *loaded) fillSpace() {
	if l.Space.Layerwise { // of which the paper has none
		return
	}
	paper := arch.PaperSpace()
	for _, a := range []struct {
		have *arch.Axis
		def  arch.Axis
	}{
		{&l.Space.NLayer, paper.NLayer}, {&l.Space.DModel, paper.DModel},
		{&l.Space.DInner, paper.DInner}, {&l.Space.NHead, paper.NHead},
	} {
		if a.have.Min == 0 && a.have.Max == 0 && a.have.Step == 0 && len(a.have.Choices) == 0 {
			*a.have = a.def
		}
	}
	if _, given := l.lines["space.constraints"]; !given {
		l.Space.Constraints = paper.Constraints
	}
}

// origin says where a key's value came from.
func (l *loaded) origin(key string) string {
	if f := l.flags[key]; f != nil && f.Changed {
		return "flag --" + f.Name
	}
	if os.Getenv(envName(key)) != "" {
		return "environment " + envName(key)
	}
	if line, ok := l.lines[key]; ok {
		return fmt.Sprintf("%s:%d", l.file, line)
	}
	return "default"
}

func envName(key string) string {
	return "LATHE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

type keyValue struct {
	key   string
	value any
}

// spaceValues are the space in force.
func (l *loaded) spaceValues() []keyValue {
	sp := l.Space
	one := sp.Spec(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1}) // for what the family decides
	values := []keyValue{
		{"space.family", string(one.Family)},
		{"space.vocab", one.Vocab},
		{"space.positions", one.Positions},
		{"space.untied", one.Untied},
		{"space.tied", !one.Untied},
		{"space.heads_per_kv_head", max(1, sp.HeadsPerKVHead)},
		{"space.n_layer", sp.NLayer},
		{"space.d_model", sp.DModel},
		{"space.d_inner", sp.DInner},
		{"space.n_head", sp.NHead},
		{"space.constraints", sp.Constraints},
	}
	if sp.Layerwise {
		values = append(values, keyValue{"space.layerwise", true}, keyValue{"space.types", sp.Types}, keyValue{"space.hidden", sp.Hidden})
	}
	return values
}

// spaceOrigin is the origin of a key of the space, for an axis that of the first
// of its keys in the file.
func (l *loaded) spaceOrigin(key string) string {
	first := 0
	for k, line := range l.lines {
		if (k == key || strings.HasPrefix(k, key+".")) && (first == 0 || line < first) {
			first = line
		}
	}
	if first == 0 {
		return "default"
	}
	return fmt.Sprintf("%s:%d", l.file, first)
}

// value is a setting in force, of the type of its default.
func (l *loaded) value(s setting) any {
	switch s.def.(type) {
	case []string:
		return append([]string{}, l.Nightly.Track...) // the only list
	case bool:
		return l.v.GetBool(s.key)
	case int:
		return l.v.GetInt(s.key)
	case uint64:
		return l.v.GetUint64(s.key)
	case float64:
		return l.v.GetFloat64(s.key)
	}
	return l.v.GetString(s.key)
}
