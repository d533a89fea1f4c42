package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"lathe/finetune/eval"
	"lathe/finetune/text"
	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/reports"
)

// studyEval is what a trained model is worth before it is finetuned.
type studyEval struct {
	Perplexity eval.Result         `json:"perplexity"` // of the test part of the text
	Lambada    eval.LastWordResult `json:"lambada"`
	WordNats   []float64           `json:"word_nats"` // minus the logarithm of each last word's probability
	Warnings   []string            `json:"warnings"`
}

// evaluate scores a model that was trained.
func (s *study) evaluate(m studyModel, tk string) (*studyEval, error) {
	return step(s, "eval-"+m.Label, "evaluating "+m.Label+" on the text's test part and LAMBADA", func() (*studyEval, error) {
		f := &evalFlags{tokenizer: tk, bos: bosAuto, lambada: s.a.cfg.Study.Lambada, limit: s.a.cfg.Study.LambadaPassages}
		var out *studyEval
		err := s.scored("models", m, func(model *scored) error {
			if s.texts == nil {
				var err error
				if s.texts, err = s.evalTexts(f, *model); err != nil {
					return err
				}
			}
			texts := *s.texts
			var err error
			if texts.context, err = f.contextFor([]scored{*model}); err != nil {
				return badInput(err)
			}
			r, err := s.a.score(s.ctx, model, f, &texts)
			if err != nil {
				return err
			}
			out = &studyEval{Perplexity: r.Perplexity.Result, Lambada: r.Lambada.LastWordResult, WordNats: r.Lambada.Nats(), Warnings: r.Warnings}
			return nil
		})
		if err != nil {
			return nil, err
		}
		s.detail("perplexity %s of the text, %s of LAMBADA's words, of which %.1f %% are right", figure3(out.Perplexity.Perplexity), figure3(out.Lambada.Perplexity), 100*out.Lambada.Accuracy)
		return out, nil
	})
}

func figure3(x float64) string { return fmt.Sprintf("%.4g", x) }

// scored runs f with a model of the study, opened to be scored.
func (s *study) scored(kind string, m studyModel, f func(*scored) error) error {
	var args []string
	if b := m.Candidate.Build.Name(); b != "" {
		args = []string{b}
	}
	models, closeAll, err := s.a.toScore(s.ctx, s.modelDir(kind, m.Label), args)
	if err != nil {
		return err
	}
	defer closeAll()
	return f(&models[0])
}

// evalTexts reads what all models are scored on.
func (s *study) evalTexts(f *evalFlags, m scored) (*evalTexts, error) {
	tk, err := loadTokenizer(f.tokenizer, f.bos, m)
	if err != nil {
		return nil, badInput(err)
	}
	texts, err := s.a.readTexts(s.ctx, f, tk.Encoder)
	if err != nil {
		return nil, err
	}
	c := s.a.cfg
	o := c.Study.pretraining(c.Train.Dev, c.Train.Test)
	documents, err := s.part(o, text.Test)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, badInput(errors.New("study: no document of the text falls to its test part: give more text, or a larger train.test"))
	}
	rng := rand.New(rand.NewPCG(c.Seed, documentStream))
	rng.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	if n := c.Study.Documents; n > 0 {
		documents = documents[:min(n, len(documents))]
	}
	for _, d := range documents {
		texts.documents = append(texts.documents, tk.Document(d))
	}
	return texts, nil
}

// documentStream is of the documents whose perplexity is found.
const documentStream = 0x646f6375 // "docu"

// part is the documents of a part of a text.
func (s *study) part(o text.Options, part text.Part) (list []string, err error) {
	for d, err := range text.Documents(s.ctx, o) {
		if err != nil {
			return nil, unlessStopped(s.ctx, err)
		}
		if d.In(*o.Split) == part {
			list = append(list, d.Text)
		}
	}
	return list, nil
}

// studyLatency is all trained models, timed in one session beside the baseline.
type studyLatency struct {
	Baseline record.Summary   `json:"baseline"`
	Results  []record.Summary `json:"results"` // in the order of the models
}

// latency times the steps of all trained models.
func (s *study) latency() (*studyLatency, error) {
	models := s.models[1:]
	return step(s, stepLatency, fmt.Sprintf("timing prompts and tokens of %s beside the baseline", reports.Count(len(models), "model")), func() (*studyLatency, error) {
		plan, err := s.a.plan(0)
		if err != nil {
			return nil, err
		}
		plan.RequestPairs = 0
		b, err := s.a.newBench(s.ctx, own(s.baseline), plan)
		if err != nil {
			return nil, err
		}
		defer b.close()
		cands := make([]arch.Candidate, len(models))
		for i, m := range models {
			cands[i] = m.Candidate
		}
		bar := s.a.bar(100, "timing", false)
		defer bar.Finish()
		records, err := b.measure(s.ctx, owns(cands), func(share float64) { bar.Set(int(100 * share)) })
		if err != nil {
			return nil, err
		}
		if err := s.ctx.Err(); err != nil {
			return nil, context.Canceled
		}
		out := &studyLatency{Baseline: record.SummarizeBaseline(records, record.Options{})}
		for _, r := range records {
			out.Results = append(out.Results, record.Summarize(r, record.Options{}))
		}
		return out, nil
	})
}

// Names of the steps that time, which --again does once more.
const (
	stepLatency  = "latency"
	stepRequests = "requests"
)
