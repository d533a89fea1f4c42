package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/weights"
	"lathe/reports"
)

// Files of a training's folder, besides those of the model.
const (
	lossPlotFile  = "loss.svg"
	candidateFile = "candidate.yaml" // where transformers has no configuration
)

// trainResult is what a training came to. Losses are in nats a token.
type trainResult struct {
	Candidate string       `json:"candidate"`
	Folder    string       `json:"folder"`
	Ending    train.Ending `json:"ending"`
	Steps     int          `json:"steps"`
	OfStep    int          `json:"of_step"` // whose parameters were written
	Tokens    int64        `json:"tokens"`
	Seconds   float64      `json:"seconds"`
	Compute   string       `json:"compute"`
	Skipped   int          `json:"skipped_steps,omitempty"` // whose gradients overflowed
	LossScale float64      `json:"loss_scale,omitempty"`    // at the end; 0: none

	TrainLoss     *float64 `json:"train_loss"`      // of the last step's batch
	DevLossBefore *float64 `json:"dev_loss_before"` // before the first step
	DevLoss       *float64 `json:"dev_loss"`        // of what was written
	DevPerplexity *float64 `json:"dev_perplexity"`
	TestLoss      *float64 `json:"test_loss"`

	Model       string   `json:"model"`                 // the ONNX graph
	Config      string   `json:"config"`                // of transformers, or candidate.yaml
	Safetensors string   `json:"safetensors,omitempty"` // where transformers has a configuration
	WeightsHash string   `json:"weights_hash"`
	Sample      string   `json:"sample,omitempty"`
	Warnings    []string `json:"warnings"`
}

// finish writes the model whose parameters the training ended with, and says what it came
// to.
func (t *training) finish(ctx context.Context, res *train.Result) (*trainResult, error) {
	p := t.plan
	r := &trainResult{
		Candidate: arch.Candidate{Spec: p.Spec, Build: p.Build}.Name(), Folder: t.dir, Ending: res.Ending,
		Steps: res.Step, OfStep: res.Of, Tokens: res.Tokens, Seconds: res.Seconds,
		Compute: p.computed(), Skipped: res.Scaling.Skipped, LossScale: res.Scaling.Scale,
	}
	switch res.Of {
	case res.BestStep:
		r.setDevLoss(res.BestLoss)
	case res.Looked:
		r.setDevLoss(res.DevLoss)
	}
	// A log that cannot be read is no reason to lose the model.
	if err := t.drawLosses(r, res); err != nil {
		t.warn(fmt.Errorf("%w; there is no %s", err, lossPlotFile))
	}
	var err error
	if r.TestLoss, err = t.testLoss(); err != nil {
		return nil, err
	}
	r.Warnings = append([]string{}, t.warnings...)
	if err := t.writeModel(ctx, r); err != nil {
		return nil, err
	}
	if t.sample != "" {
		if r.Sample, err = t.continueText(ctx, r.Model, t.sample); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *trainResult) setDevLoss(loss float64) {
	perplexity := math.Exp(loss)
	r.DevLoss, r.DevPerplexity = &loss, &perplexity
}

// drawLosses reads the log, draws it, and fills in what it alone knows.
func (t *training) drawLosses(r *trainResult, res *train.Result) error {
	f, err := os.Open(filepath.Join(t.dir, train.LogFile))
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := train.ReadLog(f, f.Name())
	if err != nil {
		return err
	}
	d := reports.LossPlotData{Title: t.plan.Spec.Name()}
	if t.dev != nil {
		d.Best = float64(res.Of)
	}
	for _, e := range entries {
		switch {
		case e.Loss != nil:
			if e.Step == res.Step {
				r.TrainLoss = e.Loss
			}
			d.Train = append(d.Train, reports.LossPoint{Step: float64(e.Step), Loss: *e.Loss})
		case e.DevLoss != nil:
			if e.Step == 0 {
				r.DevLossBefore = e.DevLoss
			}
			d.Dev = append(d.Dev, reports.LossPoint{Step: float64(e.Step), Loss: *e.DevLoss})
		}
	}
	if len(d.Train)+len(d.Dev) == 0 {
		return nil
	}
	return create(filepath.Join(t.dir, lossPlotFile), func(w io.Writer) error { return reports.LossPlot(w, reports.SVG, d) })
}

// testLoss is the loss on the test set, or nil where there is none.
func (t *training) testLoss() (*float64, error) {
	if t.test == nil {
		return nil, nil
	}
	n := t.plan.Rows * t.plan.Sequence
	ids, labels := make([]int64, n), make([]int64, n)
	var sum float64
	counted := 0
	for k := range t.looks(t.test) {
		if err := t.test.Fill(k, ids, labels); err != nil {
			return nil, err
		}
		s, m, err := t.model.Loss(ids, labels)
		if err != nil {
			return nil, err
		}
		sum, counted = sum+s, counted+m
	}
	if counted == 0 {
		return nil, nil
	}
	loss := sum / float64(counted)
	return &loss, nil
}

// writeModel writes the model in the forms that it has.
func (t *training) writeModel(ctx context.Context, r *trainResult) error {
	p := t.plan
	src, ok := t.model.Source().(*weights.Given)
	if !ok {
		return errors.New("the model's weights are not given") // finetune's are
	}
	r.WeightsHash = src.Hash()
	o := emitOptions{
		candidate: arch.Candidate{Spec: p.Spec, Build: p.Build}, given: src, dir: t.dir, force: true, run: true,
	}
	e, err := t.a.emitONNX(ctx, o)
	if err != nil {
		return err
	}
	r.Model, r.Warnings = e.Model, append(r.Warnings, e.Warnings...)
	_, err = hf.FormatConfig(p.Spec, p.Tokens)
	if errors.Is(err, hf.ErrNoConfig) {
		r.Config = filepath.Join(t.dir, candidateFile)
		return create(r.Config, func(w io.Writer) error {
			return yaml.NewEncoder(w).Encode(o.candidate)
		})
	}
	if err != nil {
		return err
	}
	bar := t.a.bar(1, "weights", true)
	err = hf.Save(ctx, t.dir, hf.Saving{
		Spec: p.Spec, Tokens: p.Tokens,
		Write: func(ctx context.Context, w io.Writer, x hf.Tensor) error {
			return weights.WriteMatrix(ctx, w, src.Tensors[x.Name], weights.Float32)
		},
		Progress: func(done, total int64) {
			bar.ChangeMax64(total)
			bar.Set64(done)
		},
	})
	r.Config, r.Safetensors = filepath.Join(t.dir, hf.ConfigFile), filepath.Join(t.dir, hf.WeightsFile)
	return err
}

// printTraining writes what a training came to; one that was only tried has told already.
func (a *app) printTraining(r *trainResult, err error) error {
	if err != nil || r == nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	text := func(loss *float64) string {
		if loss == nil {
			return "-"
		}
		return fmt.Sprintf("%.4f, perplexity %s", *loss, perplexityText(*loss))
	}
	computed := r.Compute
	if r.LossScale > 0 {
		computed += fmt.Sprintf(", losses scaled by %g, %d steps skipped", r.LossScale, r.Skipped)
	}
	rows := []reports.KeyValue{
		{Key: "ended", Value: fmt.Sprintf("%s after %d steps, %.3g tokens, %s", r.Ending, r.Steps, float64(r.Tokens), took(r.Seconds))},
		{Key: "parameters of step", Value: fmt.Sprint(r.OfStep)},
		{Key: "computed in", Value: computed},
		{Key: "loss, last batch", Value: text(r.TrainLoss)},
		{Key: "loss, dev, before", Value: text(r.DevLossBefore)},
		{Key: "loss, dev", Value: text(r.DevLoss)},
		{Key: "loss, test", Value: text(r.TestLoss)},
		{Key: "model", Value: r.Model},
	}
	if r.Safetensors != "" {
		rows = append(rows, reports.KeyValue{Key: "for transformers", Value: r.Folder})
	} else {
		rows = append(rows, reports.KeyValue{Key: "for transformers", Value: "none: it has no configuration for this; " + r.Config + " says what the model is"})
	}
	if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "candidate", Value: r.Candidate}, rows); err != nil {
		return err
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	if r.Sample != "" {
		fmt.Fprintf(a.stdout, "\n%s\n", r.Sample)
	}
	return nil
}
