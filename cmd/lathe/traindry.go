package main

import (
	"fmt"
	"time"

	"lathe/finetune/text"
	"lathe/graphgen/arch"
	"lathe/profiler/machine"
	"lathe/reports"
)

// printDryRun says what a training would take.
func (t *training) printDryRun(times *stepTimes) error {
	p := t.plan
	train, counts := t.corpus.Split(text.Train).Stats(), arch.Candidate{Spec: p.Spec}.Counts()
	looks := p.Schedule.Steps/p.EvalEvery + 1
	total := float64(p.Schedule.Steps)*times.step + float64(looks)*times.look
	memory, known := machine.PeakMemory()
	r := struct {
		Candidate   string  `json:"candidate"`
		Parameters  int64   `json:"parameters"`
		TrainTokens int64   `json:"train_tokens"`
		DevTokens   int64   `json:"dev_tokens"`
		Steps       int     `json:"steps"`
		StepTokens  int     `json:"step_tokens"`
		Epochs      float64 `json:"epochs"`
		StepSeconds float64 `json:"step_s"`
		LookSeconds float64 `json:"look_s"`
		Seconds     float64 `json:"seconds"`
		MemoryBytes int64   `json:"memory_bytes"`    // of this process at its largest; 0: not known
		Estimate    int64   `json:"estimated_bytes"` // in closed form, for where there are kernels of what is computed in
		Compute     string  `json:"compute"`
		Checkpoint  int64   `json:"checkpoint_bytes"` // of each
	}{
		Candidate: p.Spec.Name(), Parameters: counts.TotalParams, TrainTokens: train.Tokens, DevTokens: t.corpus.Split(text.Dev).Stats().Tokens,
		Steps: p.Schedule.Steps, StepTokens: p.stepTokens(), Epochs: float64(p.Schedule.Steps*p.Rows*p.Passes) / float64(t.rows.Rows()),
		StepSeconds: times.step, LookSeconds: times.look, Seconds: total, MemoryBytes: memory, Checkpoint: 12 * counts.TotalParams,
		Estimate: int64(p.Spec.TrainBytes(int64(p.Rows), int64(p.Sequence), p.floatBytes())), Compute: p.computed(),
	}
	if t.a.json {
		return t.a.printJSON(r)
	}
	rows := []reports.KeyValue{
		{Key: "parameters", Value: fmt.Sprintf("%.3g million", float64(r.Parameters)/1e6)},
		{Key: "text", Value: fmt.Sprintf("%.3g tokens to train on, %.3g of development", float64(r.TrainTokens), float64(r.DevTokens))},
		{Key: "steps", Value: fmt.Sprintf("%d of %d tokens: %.2g times the text", r.Steps, r.StepTokens, r.Epochs)},
		{Key: "a step", Value: fmt.Sprintf("%.3g s, %.0f tokens/s", r.StepSeconds, float64(r.StepTokens)/r.StepSeconds)},
		{Key: "all", Value: took(r.Seconds)},
		{Key: "computed in", Value: r.Compute},
		{Key: "a checkpoint", Value: fmt.Sprintf("%.1f MB", float64(r.Checkpoint)/1e6)},
	}
	if known {
		rows = append(rows, reports.KeyValue{Key: "memory", Value: fmt.Sprintf("%.2f GB", float64(memory)/1e9)})
	}
	if p.Compute.Reduced() {
		rows = append(rows, reports.KeyValue{Key: "memory, by sizes", Value: fmt.Sprintf("%.2f GB where there are kernels of %s", float64(r.Estimate)/1e9, p.Compute)})
	}
	return reports.KeyValues(t.a.stdout, reports.Text, reports.KeyValue{Key: "candidate", Value: r.Candidate}, rows)
}

// took is seconds as people read them.
func took(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}
