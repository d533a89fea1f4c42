package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"lathe/finetune"
	"lathe/finetune/text"
	"lathe/finetune/tokenizer"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// planFile is what a training was begun with, in its folder.
const planFile = "run.json"

// trainPlan is all that decides a training's numbers, and where it is.
type trainPlan struct {
	Command string     `json:"command"`
	Spec    arch.Spec  `json:"spec,omitzero"`  // none in a search's recipe
	Build   arch.Build `json:"build,omitzero"` // of the ONNX graph
	From    string     `json:"from"`           // the model that was given; "": random weights
	// Calibration is the tokens on which it was seen what to inherit of it; 0: it is the
	// model that is finetuned.
	Calibration int                        `json:"calibration,omitempty"`
	Teacher     *planTeacher               `json:"teacher,omitempty"`
	Start       string                     `json:"start"`  // hash of the weights at the start
	Tokens      map[string]json.RawMessage `json:"tokens"` // ids of special tokens, for config.json
	Seed        uint64                     `json:"seed"`

	Text        []string `json:"text"`
	Fields      []string `json:"fields"`
	Separator   string   `json:"separator"`
	Whole       bool     `json:"whole"`
	Instruction bool     `json:"instruction"`
	End         int      `json:"end"` // id behind every document; -1: none
	Dev         float64  `json:"dev"`
	Test        float64  `json:"test"`
	TextKey     string   `json:"text_key"` // of the corpus

	Sequence    int     `json:"sequence"`
	Rows        int     `json:"rows"` // of a pass
	Passes      int     `json:"passes"`
	Threads     int     `json:"threads"`
	Recompute   bool    `json:"recompute"`
	Dropout     float64 `json:"dropout"`
	WeightDecay float64 `json:"weight_decay"`
	Clip        float64 `json:"clip"`

	Compute  finetune.Compute `json:"compute,omitempty"` // "": fp32
	Provider arch.Provider    `json:"provider,omitzero"` // zero: the CPU
	// LossScale is the first, in fp16.
	LossScale float64 `json:"loss_scale,omitempty"`

	Schedule        train.Schedule `json:"schedule"`
	EvalEvery       int            `json:"eval_every"`
	EvalTokens      int            `json:"eval_tokens"`
	Patience        int            `json:"patience"`
	CheckpointEvery int            `json:"checkpoint_every"`
	Keep            int            `json:"keep"`
}

// newPlan is the plan of a training, but for its text's key and its number of steps.
func (a *app) newPlan(f *trainFlags, s trainStart, tk *tokenizer.Tokenizer) (*trainPlan, error) {
	c := a.cfg.Train
	end, err := f.ending(tk)
	if err != nil {
		return nil, err
	}
	rows, passes := c.rows()
	provider, err := c.provider(f.command)
	if err != nil {
		return nil, err
	}
	spec := s.candidate.Spec
	p := &trainPlan{
		Command: f.command, Spec: spec, Build: s.candidate.Build, Seed: a.cfg.Seed, Tokens: map[string]json.RawMessage{},
		Fields: f.fields, Separator: f.separator, Whole: f.whole, Instruction: f.instruction, End: end, Dev: c.Dev, Test: c.Test,
		Sequence: c.Sequence, Rows: rows, Passes: passes, Threads: c.Threads, Recompute: c.Recompute,
		Dropout: c.Dropout, WeightDecay: c.WeightDecay, Clip: c.Clip, Provider: provider,
		Schedule:  train.Schedule{Shape: train.Shape(c.Schedule), Peak: c.LR, Warmup: c.Warmup},
		EvalEvery: c.EvalEvery, EvalTokens: c.EvalTokens, Patience: c.Patience, CheckpointEvery: c.CheckpointEvery, Keep: c.Keep,
	}
	if p.Compute = finetune.Compute(c.Compute); p.Compute == finetune.FP32 {
		p.Compute = ""
	}
	if p.Compute == finetune.FP16 {
		p.LossScale = c.LossScale
	}
	if _, err := hf.FormatConfig(spec, nil); errors.Is(err, hf.ErrNoConfig) {
		// The ONNX graph is then all that has the weights: they are kept as they are.
		whole := arch.Build{Dialect: p.Build.Dialect, Threads: p.Build.Threads}
		if !whole.Equal(p.Build) {
			a.note("note: transformers has no configuration for %s, so the ONNX graph is written in fp32; lathe emit --weights quantizes it", spec.Name())
		}
		p.Build = whole
	}
	if p.Threads == 0 {
		p.Threads = runtime.NumCPU()
	}
	if p.Schedule.Peak == 0 {
		p.Schedule.Peak = 6e-4
		if f.command == "finetune" {
			p.Schedule.Peak = 5e-5
		}
	}
	p.Schedule.Floor = c.LREnd * p.Schedule.Peak
	if !spec.Stack() && p.Sequence > spec.Positions {
		if f.changed("sequence") {
			return nil, badInput(fmt.Errorf("%s: rows of %d tokens, and %s has %d positions: use at most as many", f.command, p.Sequence, spec.Name(), spec.Positions))
		}
		p.Sequence = spec.Positions
	}
	for _, path := range f.text { // so that the training goes on from any folder
		p.Text = append(p.Text, mustAbs(path))
	}
	if f.teacher != "" {
		p.Teacher = &planTeacher{Path: f.teacher, Weight: c.DistillWeight, Temperature: c.Temperature, Keep: f.keepTeacher}
	}
	if f.from != "" {
		p.Calibration = c.Calibration
	}
	if s.own != nil {
		p.From, p.Tokens = mustAbs(s.own.path), s.own.tokens
	} else if end >= 0 {
		id := json.RawMessage(fmt.Sprint(end))
		p.Tokens = map[string]json.RawMessage{"eos_token_id": id, "bos_token_id": id}
	}
	return p, nil
}

// textOptions are those that the corpus is opened with.
func (p *trainPlan) textOptions() text.Options {
	o := text.Options{
		Paths: p.Text, Separator: p.Separator, Whole: p.Whole, Fields: p.Fields, EndOfText: p.End,
		Split: &text.Fractions{Dev: p.Dev, Test: p.Test}, Workers: p.Threads,
	}
	if p.Instruction {
		o.Instruction = &text.Instruction{}
	}
	return o
}

// batches cuts rows of a part of the text: for training without end, else each once, in
// one order whatever the seed. Those of a development set are shuffled too, so that the
// first of them, which are looked at, are of all files.
func (p *trainPlan) batches(t *text.Tokens, training bool) (*text.Batches, error) {
	o := text.BatchOptions{
		Batch: p.Rows, Sequence: p.Sequence, Shuffle: true, Once: !training,
		Padded: p.Instruction, Pad: int64(max(p.End, 0)),
	}
	if training {
		o.Seed = p.Seed
	}
	return t.Batches(o)
}

// modelOptions are those of the model that is trained.
func (p *trainPlan) modelOptions() finetune.StepOptions {
	none := func(v float64) float64 { // of an optimizer, whose zeros are defaults
		if v == 0 {
			return -1
		}
		return v
	}
	return finetune.StepOptions{
		Spec: p.Spec, Batch: p.Rows, Sequence: p.Sequence, Dropout: p.Dropout, Seed: p.Seed, Checkpoint: p.Recompute, Threads: p.Threads,
		Optimizer: finetune.Optimizer{WeightDecay: none(p.WeightDecay), ClipNorm: none(p.Clip)},
		Compute:   p.Compute, Scale: p.LossScale, Provider: p.Provider.Name, ProviderOptions: p.Provider.Options,
	}
}

// slow says what computing in 16 bits is on the CPU, if that is planned.
func (p *trainPlan) slow() error {
	if p.Compute == "" || p.Provider.Name != "" {
		return nil
	}
	return fmt.Errorf("the CPU has no kernels of %s: it computes in fp32 and rounds, which is slower than fp32 and takes more memory; it is for finding out how a model takes to %s", p.Compute, p.Compute)
}

// computed names what the plan computes in.
func (p *trainPlan) computed() string { return string(cmp.Or(p.Compute, finetune.FP32)) }

// floatBytes are those of what a step's products take.
func (p *trainPlan) floatBytes() int64 {
	if p.Compute.Reduced() {
		return 2
	}
	return 4
}

// setSteps makes the plan one of so many steps, and fills in what follows from that.
func (p *trainPlan) setSteps(n int) {
	p.Schedule.Steps = n
	if p.Schedule.Warmup < 0 {
		p.Schedule.Warmup = min(n/20, 1000)
	}
	if p.EvalEvery == 0 {
		p.EvalEvery = max(1, n/20)
	}
	if p.CheckpointEvery == 0 {
		p.CheckpointEvery = p.EvalEvery
	}
}

// stepTokens are the tokens of a step.
func (p *trainPlan) stepTokens() int { return p.Rows * p.Passes * p.Sequence }

// of is what a checkpoint has to be of, to be one of this training.
func (p *trainPlan) of() map[string]string {
	teacher := "none"
	if p.Teacher != nil {
		teacher = fmt.Sprintf("%s, weight %g at temperature %g", p.Teacher.Sum, p.Teacher.Weight, p.Teacher.Temperature)
	}
	of := map[string]string{
		"teacher": teacher,
		"model":   p.Spec.Name(), "text": p.TextKey, "start": p.Start, "seed": fmt.Sprint(p.Seed),
		"batch":     fmt.Sprintf("%dx%d rows of %d tokens", p.Passes, p.Rows, p.Sequence),
		"dropout":   fmt.Sprint(p.Dropout),
		"optimizer": fmt.Sprintf("weight decay %g, clipped to %g", p.WeightDecay, p.Clip),
	}
	if p.Compute != "" {
		of["compute"] = string(p.Compute)
	}
	return of
}

func (p *trainPlan) write(dir string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return create(filepath.Join(dir, planFile), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

func readPlan(dir string) (*trainPlan, error) {
	path := filepath.Join(dir, planFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badInput(fmt.Errorf("%s is no folder of a training: there is no %s", dir, planFile))
	}
	if err != nil {
		return nil, err
	}
	p := new(trainPlan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", path, err))
	}
	if err := p.Spec.Validate(); err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", path, err))
	}
	if p.Rows < 1 || p.Passes < 1 || p.Sequence < 1 || p.Threads < 1 {
		return nil, badInput(fmt.Errorf("%s: %d passes of %d rows of %d tokens on %d threads: it is not what a training wrote", path, p.Passes, p.Rows, p.Sequence, p.Threads))
	}
	return p, nil
}
