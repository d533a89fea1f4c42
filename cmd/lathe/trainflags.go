package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/finetune"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
)

// trainConfig is how models are trained, of a configuration.
type trainConfig struct {
	Sequence int `mapstructure:"sequence"`
	Batch    int `mapstructure:"batch"`
	Micro    int `mapstructure:"micro"`
	Threads  int `mapstructure:"threads"`

	Epochs  float64 `mapstructure:"epochs"`
	Steps   int     `mapstructure:"steps"`
	Tokens  float64 `mapstructure:"tokens"`
	Minutes float64 `mapstructure:"minutes"`

	LR          float64 `mapstructure:"lr"`
	LREnd       float64 `mapstructure:"lr_end"`
	Schedule    string  `mapstructure:"schedule"`
	Warmup      int     `mapstructure:"warmup"`
	WeightDecay float64 `mapstructure:"weight_decay"`
	Clip        float64 `mapstructure:"clip"`
	Dropout     float64 `mapstructure:"dropout"`
	Recompute   bool    `mapstructure:"recompute"`
	Compute     string  `mapstructure:"compute"`
	Provider    string  `mapstructure:"provider"`
	LossScale   float64 `mapstructure:"loss_scale"`

	Dev             float64 `mapstructure:"dev"`
	Test            float64 `mapstructure:"test"`
	EvalEvery       int     `mapstructure:"eval_every"`
	EvalTokens      int     `mapstructure:"eval_tokens"`
	Patience        int     `mapstructure:"patience"`
	CheckpointEvery int     `mapstructure:"checkpoint_every"`
	Keep            int     `mapstructure:"keep"`

	Calibration   int     `mapstructure:"calibration"`
	DistillWeight float64 `mapstructure:"distill_weight"`
	Temperature   float64 `mapstructure:"temperature"`
}

// trainSettings are its keys.
var trainSettings = []setting{
	{"train.sequence", 256, "tokens of a row, at most the model's positions"},
	{"train.batch", 32, "rows of a step"},
	{"train.micro", 0, "rows of a pass through the model, of which the batch is a multiple; 0: up to 8"},
	{"train.threads", 0, "threads; 0: one for each CPU"},
	{"train.epochs", 1.0, "times that the text is gone through"},
	{"train.steps", 0, "steps, in the place of epochs"},
	{"train.tokens", 0.0, "tokens to train on, in the place of epochs"},
	{"train.minutes", 0.0, "minutes to train for, in the place of epochs; they become steps when some are timed"},
	{"train.lr", 0.0, "highest learning rate; 0: 6e-4 to train, 5e-5 to finetune"},
	{"train.lr_end", 0.1, "the last step's learning rate, as a share of the highest"},
	{"train.schedule", string(train.Cosine), "how the learning rate falls: cosine, linear or constant"},
	{"train.warmup", -1, "steps in which the learning rate rises; -1: a twentieth of all, at most 1000"},
	{"train.weight_decay", 0.1, "what matrices shrink by at each step, times the learning rate"},
	{"train.clip", 1.0, "norm that the gradient is clipped to; 0: it is not"},
	{"train.dropout", 0.0, "share of activations that are dropped, where GPT-2 drops them"},
	{"train.recompute", false, "keep less of the forward pass and compute it again: less memory, a third more time"},
	{"train.compute", string(finetune.FP32), "type of floats that products are computed in: fp32, fp16 or bf16; parameters are fp32 in each"},
	{"train.loss_scale", 65536.0, "what losses are scaled by at first in fp16, a power of two; it follows the gradients"},
	{"train.provider", arch.CPU, "execution provider that computes gradients, with options as in names: cpu, cuda, cuda@device_id=1"},
	{"train.dev", 0.02, "share of the documents that the loss is watched on"},
	{"train.test", 0.02, "share of the documents that are looked at once, at the end"},
	{"train.eval_every", 0, "steps between two looks at the development set; 0: a twentieth of all"},
	{"train.eval_tokens", 65536, "tokens of the development set, and of the test set, that are looked at"},
	{"train.patience", 0, "looks in a row that may find nothing better before training ends; 0: any number"},
	{"train.checkpoint_every", 0, "steps between two checkpoints; 0: as eval_every"},
	{"train.keep", 2, "newest checkpoints that are kept, besides the best"},
	{"train.calibration", 16384, "tokens of the text on which it is seen what of a bigger model to inherit"},
	{"train.distill_weight", 0.5, "share of the teacher in the loss"},
	{"train.temperature", 2.0, "what logits of teacher and model are divided by where they are compared"},
}

// trainFlags are what train and finetune are asked, but for settings.
type trainFlags struct {
	command string
	changed func(flag string) bool

	dir            string
	resume, dry    bool
	text           []string
	fields         []string
	separator      string
	whole          bool
	instruction    bool
	tokenizer, end string
	sample         string
	from, teacher  string
	keepTeacher    bool
	goesOn         string // the command that goes on with the training, if not its own
}

func (a *app) trainFlags(cmd *cobra.Command, f *trainFlags) {
	fs := cmd.Flags()
	fs.StringVarP(&f.dir, "output", "o", "", "`FOLDER` of the model, the log and checkpoints")
	fs.BoolVar(&f.resume, "resume", false, "go on with the training in the folder")
	fs.BoolVar(&f.dry, "dry-run", false, "time some steps and say what it would take")
	trainTextFlags(fs, f)
	fs.StringVar(&f.sample, "sample", "", "continue this `TEXT` with the trained model, greedily")
	fs.Uint64("seed", 0, "seed of weights, of the order of rows and of dropout")
	a.bind(fs, "seed", "seed")
	fs.Int("sequence", 0, "tokens of a row")
	fs.Int("batch", 0, "rows of a step")
	fs.Int("micro", 0, "rows of a pass through the model; 0: up to 8")
	fs.Int("threads", 0, "threads; 0: one for each CPU")
	fs.Float64("epochs", 0, "times that the text is gone through")
	fs.Int("steps", 0, "steps, in the place of --epochs")
	fs.Float64("tokens", 0, "tokens, such as 5e6, in the place of --epochs")
	fs.Float64("minutes", 0, "minutes, in the place of --epochs")
	fs.Float64("lr", 0, "highest learning rate (default 6e-4 to train, 5e-5 to finetune)")
	fs.Float64("lr-end", 0, "the last step's learning rate, as a share of the highest")
	fs.String("schedule", "", "how the learning rate falls: `SHAPE`, cosine, linear or constant")
	fs.Int("warmup", 0, "steps in which the learning rate rises; -1: a twentieth of all, at most 1000")
	fs.Float64("weight-decay", 0, "what matrices shrink by at each step, times the learning rate")
	fs.Float64("clip", 0, "norm that the gradient is clipped to; 0: it is not")
	fs.Float64("dropout", 0, "share of activations that are dropped")
	fs.Bool("recompute", false, "less memory, a third more time: keep less of the forward pass and compute it again")
	fs.String("compute", "", "`TYPE` of floats that products are computed in: fp32, fp16 or bf16")
	fs.Float64("loss-scale", 0, "what losses are scaled by at first in fp16, a power of two")
	fs.String("provider", "", "execution provider that computes gradients: `NAME`, such as cuda or cuda@device_id=1")
	fs.Float64("dev", 0, "share of the documents that the loss is watched on")
	fs.Float64("test", 0, "share of the documents that are looked at once, at the end")
	fs.Int("eval-every", 0, "steps between two looks at the development set; 0: a twentieth of all")
	fs.Int("eval-tokens", 0, "tokens of it that are looked at")
	fs.Int("patience", 0, "looks that may find nothing better before training ends; 0: any number")
	fs.Int("checkpoint-every", 0, "steps between two checkpoints; 0: as --eval-every")
	fs.Int("keep", 0, "newest checkpoints that are kept, besides the best")
	fs.StringVar(&f.teacher, "teacher", "", "learn from this `MODEL` besides the text; its vocabulary is the model's")
	fs.BoolVar(&f.keepTeacher, "teacher-cache", false, "keep what the teacher says in the cache folder, for later epochs and other students")
	fs.Float64("distill-weight", 0, "share of the teacher in the loss, to 1")
	fs.Float64("temperature", 0, "what logits of teacher and model are divided by where they are compared")
	if f.command == "train" {
		fs.StringVar(&f.from, "from", "", "start from the weights of this bigger `MODEL` of the family, what matters most of it")
		fs.Int("calibration", 0, "tokens of the text on which it is seen what matters")
	}
	for _, s := range trainSettings {
		if fs.Lookup(flagOf(s.key)) != nil {
			a.bind(fs, s.key, flagOf(s.key))
		}
	}
}

// trainTextFlags adds the flags that say what is trained on.
func trainTextFlags(fs *pflag.FlagSet, f *trainFlags) {
	fs.StringArrayVar(&f.text, "text", nil, "train on this `FILE`, folder or pattern; may be repeated")
	fs.StringArrayVar(&f.fields, "field", nil, "JSON field that is the text, `NAME` (default body); of several, a blank line stands between")
	fs.StringVar(&f.separator, "separator", "", "what stands between the documents of a text file (default <|endoftext|>)")
	fs.BoolVar(&f.whole, "whole", false, "a text file is one document")
	fs.BoolVar(&f.instruction, "instruction", false, "JSON records are an instruction, an input and an output; the loss is on the output")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer, `FILE` or folder, as in \"lathe workload\" (default for finetune: the model's)")
	fs.StringVar(&f.end, "end", "", "special token behind every document: its `NAME`, or none (default: <|endoftext|>, </s> or the like)")
}

// flagOf is the flag of a setting.
func flagOf(key string) string {
	return strings.ReplaceAll(strings.TrimPrefix(key, "train."), "_", "-")
}

// budgets are the settings of which one says how long a training is.
var budgets = []string{"epochs", "steps", "tokens", "minutes"}

// budget is the one that counts: a flag before others, one that was set before the
// default.
func (a *app) budget(f *trainFlags) (string, error) {
	var flags, set []string
	for _, name := range budgets {
		if f.changed(name) {
			flags = append(flags, name)
		}
		if a.cfg.origin("train."+name) != "default" && a.cfg.v.GetFloat64("train."+name) != 0 {
			set = append(set, name)
		}
	}
	chosen := set
	if len(flags) > 0 {
		chosen = flags
	}
	switch len(chosen) {
	case 0:
		return "epochs", nil
	case 1:
		return chosen[0], nil
	}
	return "", badInput(fmt.Errorf("%s: %s and %s each say how long it is: want one of them", f.command, chosen[0], chosen[1]))
}

// validate refuses settings that cannot be followed.
func (c trainConfig) validate(command string, budget string) error {
	length := map[string]float64{"epochs": c.Epochs, "steps": float64(c.Steps), "tokens": c.Tokens, "minutes": c.Minutes}[budget]
	for _, v := range []struct {
		name string
		is   any
		ok   bool
		want string
	}{
		{"sequence", c.Sequence, c.Sequence >= 1, "1 or more"},
		{"batch", c.Batch, c.Batch >= 1, "1 or more"},
		{"micro", c.Micro, c.Micro >= 0, "0 or more"},
		{"threads", c.Threads, c.Threads >= 0, "0 or more"},
		{budget, length, length > 0, "more than 0"},
		{"lr", c.LR, c.LR >= 0, "0 or more"},
		{"lr_end", c.LREnd, c.LREnd >= 0 && c.LREnd <= 1, "0 to 1"},
		{"schedule", c.Schedule, slices.Contains(train.Shapes, train.Shape(c.Schedule)), fmt.Sprint(train.Shapes)},
		{"warmup", c.Warmup, c.Warmup >= -1, "-1 or more"},
		{"weight_decay", c.WeightDecay, c.WeightDecay >= 0, "0 or more"},
		{"clip", c.Clip, c.Clip >= 0, "0 or more"},
		{"dropout", c.Dropout, c.Dropout >= 0 && c.Dropout < 1, "0 to less than 1"},
		{"compute", c.Compute, slices.Contains(finetune.Computes, finetune.Compute(c.Compute)), fmt.Sprint(finetune.Computes)},
		{"loss_scale", c.LossScale, c.LossScale >= 1 && c.LossScale <= 1<<32 && math.Exp2(math.Round(math.Log2(c.LossScale))) == c.LossScale, "a power of two, 1 to 4294967296"},
		{"dev", c.Dev, c.Dev >= 0 && c.Dev < 1, "0 to less than 1"},
		{"test", c.Test, c.Test >= 0 && c.Dev+c.Test < 1, "0 to less than 1, with dev"},
		{"eval_every", c.EvalEvery, c.EvalEvery >= 0, "0 or more"},
		{"eval_tokens", c.EvalTokens, c.EvalTokens >= 1, "1 or more"},
		{"patience", c.Patience, c.Patience >= 0, "0 or more"},
		{"checkpoint_every", c.CheckpointEvery, c.CheckpointEvery >= 0, "0 or more"},
		{"keep", c.Keep, c.Keep >= 1, "1 or more"},
		{"calibration", c.Calibration, c.Calibration >= 1, "1 or more"},
		{"distill_weight", c.DistillWeight, c.DistillWeight > 0 && c.DistillWeight <= 1, "more than 0, at most 1"},
		{"temperature", c.Temperature, c.Temperature >= 0.1 && c.Temperature <= 100, "0.1 to 100"},
	} {
		if !v.ok {
			return badInput(fmt.Errorf("%s: train.%s is %v: want %s", command, v.name, v.is, v.want))
		}
	}
	if c.Micro > 0 && c.Batch%c.Micro != 0 {
		return badInput(fmt.Errorf("%s: a batch of %d rows is no multiple of the %d of a pass: let --batch be %d, or --micro divide it", command, c.Batch, c.Micro, (c.Batch/c.Micro+1)*c.Micro))
	}
	return nil
}

// rows are those of a pass, and the passes of a step.
func (c trainConfig) rows() (rows, passes int) {
	rows = c.Micro
	for n := min(8, c.Batch); rows == 0; n-- {
		if c.Batch%n == 0 {
			rows = n
		}
	}
	return rows, c.Batch / rows
}

// provider is the one that the settings name.
func (c trainConfig) provider(command string) (arch.Provider, error) {
	b, err := arch.ParseBuild(c.Provider)
	if err == nil && !b.Equal(arch.Build{Provider: b.Provider}) {
		err = errors.New("it is more than an execution provider")
	}
	if err != nil {
		return arch.Provider{}, badInput(fmt.Errorf("%s: train.provider is %q: want cpu, or another with its options, such as cuda@device_id=0: %w", command, c.Provider, err))
	}
	if b.Provider.Name == arch.CPU { // the default, as in plans that say nothing of it
		return arch.Provider{}, nil
	}
	return b.Provider, nil
}

// validate refuses flags that contradict each other.
func (f *trainFlags) validate(compute finetune.Compute) error {
	switch {
	case f.teacher == "" && (f.keepTeacher || f.changed("temperature") || f.changed("distill-weight")):
		return badInput(errors.New(f.command + ": --temperature, --distill-weight and --teacher-cache are of a teacher: give --teacher MODEL"))
	case f.from == "" && f.changed("calibration"):
		return badInput(errors.New(f.command + ": --calibration is for what is inherited: give --from MODEL"))
	case compute != finetune.FP16 && f.changed("loss-scale"):
		return badInput(errors.New(f.command + ": --loss-scale is for losses in fp16: give --compute fp16"))
	case len(f.text) == 0:
		return badInput(errors.New(f.command + ": nothing to train on: give --text FILE"))
	case f.whole && f.separator != "":
		return badInput(errors.New(f.command + ": --whole and --separator: want one of them"))
	case f.instruction && (f.whole || f.separator != "" || f.fields != nil):
		return badInput(errors.New(f.command + ": --instruction takes records with fields of its own: leave --field, --whole and --separator out"))
	}
	return nil
}
