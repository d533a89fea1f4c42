package reports

import (
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
)

// Report is all that is known of a project, or of one search of it: the one model that
// every form is written from. As JSON it is what the other forms show; a number that a
// table, a plot or the page has is one of its numbers, rounded for people.
//
// cmd fills in what it knows; what is nil or empty is not known, and each form leaves it
// out and says how to get it. Names (of candidates, files, hosts) are whatever users and
// stores have: forms escape them.
type Report struct {
	Title string    `json:"title"`
	Made  time.Time `json:"made"`
	// Summary is three sentences: what was found, how sure that is, what to look at. See
	// Summarize.
	Summary []string `json:"summary"`

	Front         *Front         `json:"front"`
	Models        []Model        `json:"models"`      // Tables 1 and 2; the baseline first
	Suggestions   *Suggestions   `json:"suggestions"` // Table 3
	Distributions []Distribution `json:"latency_distributions"`
	Operators     []Operators    `json:"operators"`
	Fits          []Fit          `json:"latency_models"`
	Proxy         *Proxy         `json:"proxy"`
	Measurements  *Measurements  `json:"measurements"`
	Nights        *Nights        `json:"nights"`

	Checks     []Check     `json:"checks"` // what JUnit has
	Conditions []Condition `json:"conditions"`
	Warnings   []Warning   `json:"warnings"`
	Missing    []Missing   `json:"missing"` // parts that are not there, and what makes them
}

// Candidate is a candidate beside the baseline.
type Candidate struct {
	Name          string    `json:"candidate"`
	Spec          arch.Spec `json:"spec"`
	DecoderParams int64     `json:"decoder_params"`
	TotalParams   int64     `json:"total_params"`
	Quality       float64   `json:"quality"`       // in the unit of Front.Quality
	Latency       Measure   `json:"latency_ratio"` // to the baseline's, with its interval
	PL            Measure   `json:"pl_ratio"`
	TL            Measure   `json:"tl_ratio"`
	Source        string    `json:"source"` // measured, predicted
}

// Front is a search's Pareto front.
type Front struct {
	Search       string      `json:"search"` // its ID
	Method       string      `json:"method"`
	Status       string      `json:"status"` // why it stopped
	Quality      string      `json:"quality_name"`
	QualityLabel string      `json:"quality_label"` // of an axis, with the unit
	QualityUnit  float64     `json:"quality_unit"`  // what an axis divides by: 1e6 for millions
	HigherBetter bool        `json:"higher_is_better"`
	SpacePoints  float64     `json:"space_points"`
	Evaluations  int         `json:"evaluations"`
	Measured     int         `json:"measured"`
	Baseline     *Candidate  `json:"baseline"` // at latency 1
	Pick         *Candidate  `json:"pick"`
	PickReason   string      `json:"pick_reason"` // or why there is none
	Points       []Candidate `json:"points"`      // from the best quality to the worst
	Variants     []Candidate `json:"variants"`    // the pick with other numbers of heads
	Evaluated    []Dot       `json:"evaluated"`   // a sample of all
	Iterations   []Iteration `json:"iterations"`  // Figure 1
}

// Dot is a candidate in a plane of quality and latency.
type Dot struct {
	Quality float64 `json:"quality"`
	Latency float64 `json:"latency_ratio"`
}

// Iteration is the front after one iteration of a search.
type Iteration struct {
	Number      int     `json:"number"`
	Evaluations int     `json:"evaluations"` // in all, up to here
	Hypervolume float64 `json:"hypervolume"` // as a multiple of the first iteration's; 0: unknown
	Front       []Dot   `json:"front"`
}

// Model is a line of Tables 1 and 2: the baseline, or a pick with a number of heads.
type Model struct {
	Label         string         `json:"label"`
	Candidate     string         `json:"candidate"`
	Spec          arch.Spec      `json:"spec"`
	DecoderParams int64          `json:"decoder_params"`
	TotalParams   int64          `json:"total_params"`
	Latency       record.Summary `json:"latency"` // without Ratio for the baseline
	// Trained has what it was worth after pretraining; nil where it was not trained.
	Trained *Trained `json:"trained"`
}

// Trained is a line of Table 2.
type Trained struct {
	Lambada  Measure `json:"lambada_perplexity"`
	Relative Measure `json:"lambada_ratio"` // to the baseline's; of the baseline nothing
	Accuracy Measure `json:"lambada_accuracy"`
	Text     Measure `json:"perplexity"` // of held-out text
	Passes   *bool   `json:"passes"`     // its LAMBADA perplexity is good enough
}

// Suggestions is Table 3: a predictor's suggestions on held-out sentences.
type Suggestions struct {
	Pick       string      `json:"pick"`
	Baseline   MeasuresRow `json:"baseline"`
	Own        MeasuresRow `json:"own"`
	Difference MeasuresRow `json:"difference"` // the pick's less the baseline's, on the same cases
	Tail       Measure     `json:"latency_char_p95_ms"`
	OwnTail    Measure     `json:"own_latency_char_p95_ms"`
	TailChange Measure     `json:"latency_char_p95_ratio"`
}

// Distribution is how long a candidate took, against the baseline on the same work.
type Distribution struct {
	Candidate string    `json:"candidate"`
	Metric    string    `json:"metric"` // record.MetricPL, MetricTL, MetricP95: latency_char
	N         int       `json:"n"`      // pairs
	Shares    []float64 `json:"shares"` // of the times that are at most those below, from 0 to 1
	Own       []float64 `json:"own_ms"`
	Baseline  []float64 `json:"baseline_ms"`
}

// Operators is where the time of one phase of one candidate goes.
type Operators struct {
	Candidate  string         `json:"candidate"`
	Phase      string         `json:"phase"` // "prefill of 64 tokens"
	RunMS      float64        `json:"run_ms"`
	DispatchMS float64        `json:"dispatch_ms"` // between kernels
	Attained   float64        `json:"attained_share"`
	ByOperator []OperatorTime `json:"by_operator"` // the longest first
	ByLayer    []OperatorTime `json:"by_layer"`
}

// OperatorTime is one operator, or one layer, of a profile.
type OperatorTime struct {
	Name    string  `json:"name"`
	Kernels float64 `json:"kernels"` // of one run
	MS      float64 `json:"ms"`      // of one run
	LimitMS float64 `json:"limit_ms"`
	Share   float64 `json:"share"` // of RunMS
}

// Fit is how well a latency model predicts what it has not seen.
type Fit struct {
	Build      string      `json:"build"`
	Model      string      `json:"sha256"`
	Candidates int         `json:"candidates"` // that it was fitted to
	Errors     []FitErrors `json:"errors"`
	Points     []FitSeries `json:"points"` // predicted against measured
}

// FitErrors is one line of a model's errors, by cross-validation or on candidates held out.
type FitErrors struct {
	Name     string   `json:"name"`             // what is predicted, and by what
	Beside   bool     `json:"beside,omitempty"` // of what the model is compared with, not of the model
	N        int      `json:"n"`
	MAPE     *float64 `json:"mape"`
	Max      *float64 `json:"max_error"`
	Within5  *float64 `json:"within_5_percent"`
	Within10 *float64 `json:"within_10_percent"`
	Spearman *float64 `json:"spearman"`
	Coverage *float64 `json:"coverage"`
}

// Proxy is what speaks for the proxy by which quality is ranked.
type Proxy struct {
	Name   string        `json:"proxy"`
	Remark string        `json:"remark"` // which architectures were trained, how they were held out
	Rows   []ProxyRank   `json:"rows"`
	Plots  []ProxyScores `json:"plots"`
}

// ProxyRank is how well one proxy ranked them.
type ProxyRank struct {
	Name     string   `json:"name"`
	Spearman Measure  `json:"spearman"`
	Kendall  Measure  `json:"kendall_tau_b"`
	Top      Measure  `json:"top_10_percent"`
	Gain     Measure  `json:"spearman_gain"` // over decoder parameters
	Coverage *float64 `json:"coverage_95"`
}

// ProxyScores is quality against what a proxy scored.
type ProxyScores struct {
	Name         string       `json:"name"`
	ScoreLabel   string       `json:"score_label"`
	QualityLabel string       `json:"quality_label"`
	LogScore     bool         `json:"log_score"`
	LogValue     bool         `json:"log_quality"`
	Points       []ProxyPoint `json:"points"`
}

// Measurements is every record that the report rests on.
type Measurements struct {
	Records    int        `json:"records"`
	Failed     int        `json:"failed"`
	Warned     int        `json:"warned"`      // with at least one warning
	Drifted    int        `json:"drifted"`     // the baseline's time moved over the session
	OtherHosts int        `json:"other_hosts"` // records of other machines, which are in none of these figures
	First      time.Time  `json:"first"`
	Last       time.Time  `json:"last"`
	Candidates []Measured `json:"candidates"` // the latest record of each beside the baseline
}

// Measured is what one candidate's latest record says.
type Measured struct {
	Candidate     string    `json:"candidate"`
	Time          time.Time `json:"time"`
	DecoderParams int64     `json:"decoder_params"` // 0: not known
	PL            *float64  `json:"pl_ratio"`       // median of pairs
	TL            *float64  `json:"tl_ratio"`
	Pairs         int       `json:"pairs"` // of steps and of requests
	Failure       string    `json:"failure,omitempty"`
}

// Nights is the history of the nightly gate on one machine.
type Nights struct {
	Last nightly.Night `json:"last"`
	Rows []nightly.Row `json:"rows"`
}

// Statuses of a Check, and of a VerifyCheck.
const (
	Passed     = "passed"
	Failed     = "failed"
	Skipped    = "skipped"     // of a VerifyCheck: there is nothing to look at
	CannotTell = "cannot tell" // of a Check; JUnit has it as skipped
)

// Check is a statement that CI can hold a project to.
type Check struct {
	Group  string   `json:"group"` // front, nightly, latency model
	Name   string   `json:"name"`
	Status string   `json:"status"`
	Detail string   `json:"detail"`
	Value  *float64 `json:"value"`
	Bound  *float64 `json:"bound"`
	Unit   string   `json:"unit,omitempty"`
}

// Condition is a condition under which figures hold.
type Condition struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Warning is a doubt, once, and how often it came.
type Warning struct {
	Where string `json:"where"`
	Text  string `json:"text"`
	Times int    `json:"times"`
}

// Missing is a part that a report of this project could have.
type Missing struct {
	Part    string `json:"part"`
	Command string `json:"command"` // that makes it
}

// Form is a form that a report is written in.
type Form string

// The forms.
const (
	FormText     Form = "text"
	FormMarkdown Form = "markdown"
	FormJSON     Form = "json"
	FormCSV      Form = "csv"
	FormJUnit    Form = "junit"
	FormHTML     Form = "html"
)
