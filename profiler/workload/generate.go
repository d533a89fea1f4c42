package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"lathe/profiler/record"
)

// DefaultRequests is the length of Default and Typing: enough for a P95 interval
// of a few per cent. Whoever has less time takes the first ones.
const DefaultRequests = 256

// Options says what Generate draws. The zero value is the default workload: a
// text predictor's requests, back to back. A field that is 0 stands for its
// default; those of Think are used as they are.
type Options struct {
	Requests int // default DefaultRequests

	// Prompt tokens are log-normal, rounded, and held within PromptMin..PromptMax.
	PromptMedian float64 // default 64
	PromptSigma  float64 // of the logarithm; default 0.5: two thirds lie in 39..106
	PromptMin    int     // default 16
	PromptMax    int     // default 128

	// A suggestion ends after a token with probability Stop, and after
	// GeneratedMax tokens at the latest.
	Stop         float64 // default 0.25
	GeneratedMax int     // default 12

	// CharsPerToken is the mean number of characters of a token, which is 1 and a
	// Poisson number. The default, 4.2, is about what English text has in GPT-2's
	// vocabulary, spaces counted.
	CharsPerToken float64

	// Silent is the share of requests whose tokens are generated and not shown.
	// Default 0: every request shows something.
	Silent float64

	Think Think
}

// Think is for how long the predictor has no request before each one. The zero
// value is not at all: requests come back to back.
type Think struct {
	// Time spent typing: log-normal with this median in milliseconds and sigma of
	// the logarithm. 0: none.
	TypingMS, TypingSigma float64
	// With probability PauseShare a longer pause is added to it, between messages,
	// say: log-normal too.
	PauseShare          float64
	PauseMS, PauseSigma float64
}

// withDefaults puts the defaults where o has 0.
func (o Options) withDefaults() Options {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	defInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defInt(&o.Requests, DefaultRequests)
	def(&o.PromptMedian, 64)
	def(&o.PromptSigma, 0.5)
	defInt(&o.PromptMin, 16)
	defInt(&o.PromptMax, 128)
	def(&o.Stop, 0.25)
	defInt(&o.GeneratedMax, 12)
	def(&o.CharsPerToken, 4.2)
	return o
}

// maxRequests bounds a workload that is generated: a billion would fill the memory
// before anybody noticed the slip.
const maxRequests = 100_000_000

// Validate reports the first option that makes no workload. Zeros are defaults.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.Requests < 1 || o.Requests > maxRequests:
		return fmt.Errorf("workload: %d requests: want 1 to %d", o.Requests, maxRequests)
	case !(o.PromptMedian > 0) || o.PromptMedian > record.MaxCount:
		return fmt.Errorf("workload: a prompt median of %g tokens: want more than 0, %d at most", o.PromptMedian, record.MaxCount)
	case !(o.PromptSigma > 0) || o.PromptSigma > maxSigma:
		return fmt.Errorf("workload: a prompt sigma of %g: want more than 0, %d at most; for prompts of one length give that as min and max", o.PromptSigma, maxSigma)
	case o.PromptMin < 1 || o.PromptMax < o.PromptMin || o.PromptMax > record.MaxCount:
		return fmt.Errorf("workload: prompts of %d to %d tokens: want a minimum of 1 or more and a maximum from there to %d", o.PromptMin, o.PromptMax, record.MaxCount)
	case !(o.CharsPerToken >= 1) || o.CharsPerToken > maxCharsPerToken:
		return fmt.Errorf("workload: %g characters a token: want 1 to %d", o.CharsPerToken, maxCharsPerToken)
	}
	if err := checkSuggestion(o.Stop, o.GeneratedMax, o.Silent); err != nil {
		return err
	}
	return o.Think.validate()
}

const (
	maxSigma         = 10  // e^10 either way is no distribution of anything here
	maxCharsPerToken = 100 // and exp(-100) is still a float that Knuth's product can reach
	maxGenerated     = 1 << 20
)

func checkSuggestion(stop float64, generatedMax int, silent float64) error {
	switch {
	case !(stop > 0) || stop > 1:
		return fmt.Errorf("workload: a probability of %g that a suggestion stops after a token: want more than 0, 1 at most", stop)
	case generatedMax < 1 || generatedMax > maxGenerated:
		return fmt.Errorf("workload: at most %d generated tokens: want 1 to %d", generatedMax, maxGenerated)
	case !(silent >= 0) || silent > 1:
		return fmt.Errorf("workload: a share of %g of requests that show nothing: want 0 to 1", silent)
	}
	return nil
}

func (t Think) validate() error {
	for _, f := range []struct {
		what     string
		v, limit float64
	}{
		{"median typing time of %g ms", t.TypingMS, record.MaxCount}, {"sigma of %g of typing times", t.TypingSigma, maxSigma},
		{"share of %g of requests after a pause", t.PauseShare, 1},
		{"median pause of %g ms", t.PauseMS, record.MaxCount}, {"sigma of %g of pauses", t.PauseSigma, maxSigma},
	} {
		if !(f.v >= 0) || f.v > f.limit {
			return fmt.Errorf("workload: a "+f.what+": want 0 to %g", f.v, f.limit)
		}
	}
	return nil
}

// Default returns requests that resemble those of a text predictor, back to back:
// Generate's, of the zero Options. The same seed gives the same requests, on every
// machine and in every version that gives the workload this name.
func Default(seed uint64) record.Workload { return named("default", seed, DefaultRequests, Options{}) }

// Typing returns the same kind of requests, with the time between them of someone
// who types: a request at the end of each word, 1.2 s apart, and before one in
// twenty a pause of some seconds, as between messages. The first tokens after a
// pause are computed with caches that others have used meanwhile.
func Typing(seed uint64) record.Workload {
	return named("typing", seed, DefaultRequests, Options{Think: TypingThink()})
}

// TypingThink is the think time of Typing. 1.2 s is a word of five characters at
// 50 words a minute (Dhakal et al., "Observations on Typing from 136 Million
// Keystrokes", 2018, have a mean of 52); sigma holds the different lengths of
// words and of the typist's hesitations. Share and length of the longer pauses
// are assumptions.
func TypingThink() Think {
	return Think{TypingMS: 1200, TypingSigma: 0.5, PauseShare: 0.05, PauseMS: 8000, PauseSigma: 1}
}

// Generators are the names that Named knows.
var Generators = []string{"default", "typing"}

// Named returns the first n requests of the generator of that name, 1 or more:
// Default's and Typing's are the first DefaultRequests of them.
func Named(name string, seed uint64, n int) (record.Workload, error) {
	if n < 1 || n > maxRequests {
		return record.Workload{}, fmt.Errorf("workload: %d requests: want 1 to %d", n, maxRequests)
	}
	switch name {
	case "default":
		return named(name, seed, n, Options{}), nil
	case "typing":
		return named(name, seed, n, Options{Think: TypingThink()}), nil
	}
	return record.Workload{}, fmt.Errorf("workload: no generator is called %q: known are %s", name, strings.Join(Generators, ", "))
}

// stream keeps the drawing of workloads apart from other uses of a seed.
const stream = 0x1a7be

func named(name string, seed uint64, n int, o Options) record.Workload {
	o.Requests = n
	w, err := Generate(o, rand.New(rand.NewPCG(seed, stream)))
	if err != nil {
		panic(err) // n alone is the caller's
	}
	w.Name = name + "-" + strconv.FormatUint(seed, 10)
	w.Description = strings.Replace(w.Description, " drawn:", fmt.Sprintf(" drawn with seed %d:", seed), 1)
	return w
}

// Generate draws a workload. Its requests are independent of each other, so any
// number of first ones is a sample of the same distribution. The name is
// "generated"; whoever knows the seed says it there.
//
// Note: only Uint64 of the generator is used. PCG is a specified sequence; what
// NormFloat64 or IntN make of it may change with the Go release.
func Generate(o Options, rng *rand.Rand) (record.Workload, error) {
	if err := o.Validate(); err != nil {
		return record.Workload{}, err
	}
	o = o.withDefaults()
	d := dice{rng}
	w := record.Workload{Name: "generated", Description: o.describe(), Requests: make([]record.WorkloadRequest, o.Requests)}
	for i := range w.Requests {
		prompt := math.Round(o.PromptMedian * math.Exp(o.PromptSigma*d.normal()))
		req := record.WorkloadRequest{PromptTokens: int(min(max(prompt, float64(o.PromptMin)), float64(o.PromptMax)))}
		req.GeneratedTokens = d.suggestion(o.Stop, o.GeneratedMax)
		for range req.GeneratedTokens {
			req.Chars += 1 + d.poisson(o.CharsPerToken-1)
		}
		if d.happens(o.Silent) {
			req.Chars = 0
		}
		req.ThinkMS = o.Think.draw(d)
		w.Requests[i] = req
	}
	return w, nil
}

func (o Options) describe() string {
	silent := "every request shows something"
	if o.Silent > 0 {
		silent = fmt.Sprintf("a share of %g of the requests shows nothing", o.Silent)
	}
	return fmt.Sprintf("%s like a text predictor's, drawn: "+
		"prompt tokens log-normal with median %g and sigma %g of the logarithm, held within %d..%d; "+
		"generated tokens 1..%d, each the last with probability %g; "+
		"characters a token 1 + Poisson(%.1f), %.1f on average; %s; %s",
		count(o.Requests, "request"), o.PromptMedian, o.PromptSigma, o.PromptMin, o.PromptMax,
		o.GeneratedMax, o.Stop, o.CharsPerToken-1, o.CharsPerToken, silent, o.Think.describe())
}

func (t Think) describe() string {
	typing := t.TypingMS > 0
	pauses := t.PauseShare > 0 && t.PauseMS > 0
	pause := fmt.Sprintf("with probability %g a log-normal pause with median %g ms and sigma %g", t.PauseShare, t.PauseMS, t.PauseSigma)
	switch {
	case typing && pauses:
		return fmt.Sprintf("before each a log-normal time of typing with median %g ms and sigma %g, and %s", t.TypingMS, t.TypingSigma, pause)
	case typing:
		return fmt.Sprintf("before each a log-normal time of typing with median %g ms and sigma %g", t.TypingMS, t.TypingSigma)
	case pauses:
		return "back to back, but " + pause
	}
	return "back to back, without think time"
}

// draw is one think time in milliseconds.
func (t Think) draw(d dice) int {
	ms := 0.0
	if t.TypingMS > 0 {
		ms += t.TypingMS * math.Exp(t.TypingSigma*d.normal())
	}
	if t.PauseMS > 0 && d.happens(t.PauseShare) {
		ms += t.PauseMS * math.Exp(t.PauseSigma*d.normal())
	}
	return int(math.Round(min(ms, record.MaxCount)))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
