package main

import (
	"errors"
	"fmt"
	"math"

	"lathe/finetune/predictor"
	"lathe/finetune/text"
	"lathe/graphgen/arch"
)

// studyConfig is what a study is of, besides the baseline, the space, the search, the
// timing and the training of the same configuration.
type studyConfig struct {
	Text      []string `mapstructure:"text" json:"text"`
	Fields    []string `mapstructure:"fields" json:"fields"`
	Separator string   `mapstructure:"separator" json:"separator"`

	Task          []string `mapstructure:"task" json:"task"`
	TaskFields    []string `mapstructure:"task_fields" json:"task_fields"`
	TaskSeparator string   `mapstructure:"task_separator" json:"task_separator"`
	TaskDev       float64  `mapstructure:"task_dev" json:"task_dev"`
	TaskTest      float64  `mapstructure:"task_test" json:"task_test"`

	Tokenizer       string `mapstructure:"tokenizer" json:"tokenizer"`
	Lambada         string `mapstructure:"lambada" json:"lambada"`
	LambadaPassages int    `mapstructure:"lambada_passages" json:"lambada_passages"`
	Documents       int    `mapstructure:"documents" json:"documents"`

	Constraints []string `mapstructure:"constraints" json:"constraints"`
	Picks       int      `mapstructure:"picks" json:"picks"`
	Heads       []int    `mapstructure:"heads" json:"heads"`
	Tolerance   float64  `mapstructure:"tolerance" json:"tolerance"`

	FinetuneEpochs float64 `mapstructure:"finetune_epochs" json:"finetune_epochs"`
	FinetuneLR     float64 `mapstructure:"finetune_lr" json:"finetune_lr"`

	Cases          int     `mapstructure:"cases" json:"cases"`
	PerDocument    int     `mapstructure:"per_document" json:"per_document"`
	ContextChars   int     `mapstructure:"context_chars" json:"context_chars"`
	MaxTokens      int     `mapstructure:"max_tokens" json:"max_tokens"`
	MaxChars       int     `mapstructure:"max_chars" json:"max_chars"`
	Scoring        string  `mapstructure:"scoring" json:"scoring"`
	MaxAEC         float64 `mapstructure:"max_aec" json:"max_aec"`
	MaxTriggerRate float64 `mapstructure:"max_trigger_rate" json:"max_trigger_rate"`
	Requests       int     `mapstructure:"requests" json:"requests"`
}

// studySettings are its keys but for the lists, which studyLists has.
var studySettings = []setting{
	{"study.separator", "", "what stands between the documents of a text file; empty: <|endoftext|>"},
	{"study.task_separator", "", "likewise, of the task's text"},
	{"study.task_dev", 0.25, "share of the task's documents on which thresholds are calibrated"},
	{"study.task_test", 0.25, "share of the task's documents that are held out for the final results"},
	{"study.tokenizer", "", "tokenizer, file or folder; empty: one of as many tokens as the baseline's vocabulary is learnt from both texts"},
	{"study.lambada", "", "file of passages whose last words are guessed"},
	{"study.lambada_passages", 0, "first so many of them; 0: all"},
	{"study.documents", 500, "most documents of the text's test part whose perplexity is found; 0: all"},
	{"study.picks", 1, "architectures that are picked of a search, each of another number of layers"},
	{"study.tolerance", 0.0, "by how much of it a pick's LAMBADA perplexity may be over the baseline's, and the pick still passes"},
	{"study.finetune_epochs", 2.0, "times that finetuning goes through the task's text"},
	{"study.finetune_lr", 0.0, "highest learning rate of finetuning; 0: 5e-5"},
	{"study.cases", 1000, "sentences to complete, as many to calibrate on as are held out"},
	{"study.per_document", 2, "most of them from one document"},
	{"study.context_chars", 300, "most characters that stand before a suggestion"},
	{"study.max_tokens", predictor.DefaultMaxTokens, "most tokens of a suggestion"},
	{"study.max_chars", 0, "most characters of a suggestion; 0: any number"},
	{"study.scoring", string(predictor.Tokens), "what thresholds are compared with: token or cumulative"},
	// The paper's baseline has 2.18 (its Table 3).
	{"study.max_aec", 2.2, "extra characters a suggestion that the baseline's thresholds may give; 0: any number"},
	{"study.max_trigger_rate", 0.0, "share of the cases in which the baseline may suggest something; 0: any"},
	{"study.requests", 400, "held-out cases with a suggestion whose requests are timed; 0: all"},
}

// studyLists are its keys that hold lists.
var studyLists = map[string]valueKind{
	"study.text": textsKind, "study.fields": textsKind, "study.task": textsKind, "study.task_fields": textsKind,
	"study.constraints": textsKind, "study.heads": intsKind,
}

// studyLists are the lists in force.
func (l *loaded) studyLists() []keyValue {
	c := l.Study
	return []keyValue{
		{"study.text", nonNil(c.Text)}, {"study.fields", nonNil(c.Fields)}, {"study.task", nonNil(c.Task)}, {"study.task_fields", nonNil(c.TaskFields)},
		{"study.constraints", nonNil(c.Constraints)}, {"study.heads", append([]int{}, c.Heads...)},
	}
}

// validate refuses what no study can be made of.
func (c *studyConfig) validate() error {
	switch {
	case len(c.Text) == 0:
		return errors.New("study: study.text names no text to train on")
	case len(c.Task) == 0:
		return errors.New("study: study.task names no text whose sentences are completed")
	case c.Lambada == "":
		return errors.New("study: study.lambada names no passages, by whose last words picks are chosen")
	case !(c.TaskDev > 0 && c.TaskTest > 0 && c.TaskDev+c.TaskTest < 1):
		return fmt.Errorf("study: study.task_dev is %g and study.task_test %g: want more than 0 each, and less than 1 together", c.TaskDev, c.TaskTest)
	case !(c.Tolerance >= 0) || math.IsInf(c.Tolerance, 0):
		return fmt.Errorf("study: study.tolerance is %g: want 0 or more", c.Tolerance)
	case !(c.FinetuneEpochs > 0) || !(c.FinetuneLR >= 0):
		return fmt.Errorf("study: study.finetune_epochs is %g and study.finetune_lr %g: want more than 0, and 0 or more", c.FinetuneEpochs, c.FinetuneLR)
	case !(c.MaxAEC >= 0) || !(c.MaxTriggerRate >= 0 && c.MaxTriggerRate <= 1) || c.MaxAEC == 0 && c.MaxTriggerRate == 0:
		return fmt.Errorf("study: study.max_aec is %g and study.max_trigger_rate %g: want one of them more than 0, and a rate of 1 at most", c.MaxAEC, c.MaxTriggerRate)
	}
	for _, f := range []struct {
		key   string
		n, at int
	}{
		{"lambada_passages", c.LambadaPassages, 0}, {"documents", c.Documents, 0}, {"picks", c.Picks, 1}, {"cases", c.Cases, 1}, {"requests", c.Requests, 0},
		{"per_document", c.PerDocument, 1}, {"context_chars", c.ContextChars, 1}, {"max_tokens", c.MaxTokens, 1}, {"max_chars", c.MaxChars, 0},
	} {
		if f.n < f.at {
			return fmt.Errorf("study: study.%s is %d: want %d or more", f.key, f.n, f.at)
		}
	}
	for i, text := range c.Constraints {
		if i > 0 && text == "" {
			return fmt.Errorf("study: study.constraints: the one of round %d is empty: another round takes another constraint", i+1)
		}
	}
	for _, h := range c.Heads {
		if h < 1 {
			return fmt.Errorf("study: study.heads has %d: want 1 or more", h)
		}
	}
	if _, err := arch.CompileConstraints(c.added(len(c.Constraints))); err != nil {
		return fmt.Errorf("study: study.constraints: %w", err)
	}
	return c.rule().Validate()
}

// added are the constraints of the first so many rounds of the search, which hold
// together. The empty one, which adds nothing, is left out.
func (c *studyConfig) added(rounds int) (all []string) {
	for _, text := range c.Constraints[:min(rounds, len(c.Constraints))] {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// rounds is how often there may be a search.
func (c *studyConfig) rounds() int { return max(1, len(c.Constraints)) }

// rule has the limits of suggestions that all rules of the study have.
func (c *studyConfig) rule() predictor.Rule {
	r := predictor.Everything()
	r.Scoring, r.MaxTokens, r.MaxChars = predictor.Scoring(c.Scoring), c.MaxTokens, c.MaxChars
	return r
}

// goal is what the baseline's thresholds are to reach.
func (c *studyConfig) goal() predictor.Goal {
	g := predictor.Goal{MaxAEC: c.MaxAEC, MaxTriggerRate: c.MaxTriggerRate}
	if g.MaxAEC == 0 {
		g.MaxAEC = math.MaxFloat64
	}
	return g
}

// pretraining is how the text that models are trained on is read, and task how that of
// the completion task is.
func (c *studyConfig) pretraining(dev, test float64) text.Options {
	return text.Options{Paths: c.Text, Fields: c.Fields, Separator: c.Separator, Split: &text.Fractions{Dev: dev, Test: test}}
}

func (c *studyConfig) task() text.Options {
	return text.Options{Paths: c.Task, Fields: c.TaskFields, Separator: c.TaskSeparator, Split: &text.Fractions{Dev: c.TaskDev, Test: c.TaskTest}}
}
