package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
	"lathe/finetune/text"
	"lathe/finetune/text/sample"
	"lathe/finetune/tokenizer"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/profiler/verify"
)

// What the demo trains is an eighth of the searched shapes in width and a third in depth,
// on made-up mail: half a minute each on two cores, after which sentences are mostly right.
const (
	demoNarrow, demoShallow = 8, 3
	demoHead                = 16 // head_dim: of an eighth of a d_model that 128 divides any number of heads
	demoVocab               = 1024
	demoPositions           = 128
)

// demoSize is how much text there is, and for how long is trained on it.
type demoSize struct {
	mail  int64 // bytes
	steps int
}

// demoFull is a demo's; tests make do with less.
var demoFull = demoSize{mail: 600_000, steps: 200}

// demoSmall is what came of the small models.
type demoSmall struct {
	Baseline *trainResult      `json:"baseline"`
	Pick     *trainResult      `json:"pick"`
	Exported *exported         `json:"exported"`
	Complete []demoCompletions `json:"completions"`
}

// demoCompletions is what was suggested behind a text.
type demoCompletions struct {
	Context    string  `json:"context"`
	Suggestion string  `json:"suggestion"`
	Follows    string  `json:"follows"`
	MS         float64 `json:"ms"`
}

// demoSpec is a shape of the space, made small enough to be trained while one waits.
func demoSpec(s arch.Spec) arch.Spec {
	width := max(demoHead, s.DModel/demoNarrow/demoHead*demoHead)
	layers := max(1, int(math.Round(float64(len(s.Layers))/demoShallow)))
	out := arch.NewSpec(s.Family, layers, width, s.Layers[0].DInner/demoNarrow, width/demoHead)
	out.Vocab, out.Positions = demoVocab, demoPositions
	return out
}

// trainSmall trains a small baseline and a small pick, deploys the pick, and lets it
// complete sentences.
func (d *demo) trainSmall(pick arch.Candidate) error {
	base, own := demoSpec(d.setup.Baseline.Candidate.Spec), demoSpec(pick.Spec)
	mail, tk, err := d.makeMail()
	if err != nil {
		return err
	}
	r := demoSmall{}
	if r.Baseline, err = d.trainOne("baseline", base, mail, tk, ""); err != nil {
		return err
	}
	if r.Pick, err = d.trainOne("pick", own, mail, tk, d.path("small-baseline")); err != nil {
		return err
	}
	if r.Exported, err = d.deploy(); err != nil {
		return err
	}
	if r.Complete, err = d.completeMail(); err != nil {
		return err
	}
	d.result.Small = &r
	return nil
}

// demoTrained is the folder of what the demo trains, in its own; demoMark is the file that
// tells it from a folder of somebody's.
const demoTrained, demoMark = "trained", ".lathe-demo"

func (d *demo) path(name string) string { return filepath.Join(d.dir, demoTrained, name) }

// clearTrained makes the folder anew, if it is a demo's.
func (d *demo) clearTrained() error {
	dir := d.path("")
	_, err := os.Stat(filepath.Join(dir, demoMark))
	switch found := exists(dir); {
	case found && errors.Is(err, fs.ErrNotExist):
		return badInput(fmt.Errorf("demo: %s is there, and no demo wrote it: choose another --dir", dir))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return create(filepath.Join(dir, demoMark), func(io.Writer) error { return nil })
}

// makeMail writes the text, and learns its vocabulary.
func (d *demo) makeMail() (mail, tk string, err error) {
	d.title("Made-up mail, and its vocabulary")
	if err := d.clearTrained(); err != nil {
		return "", "", err
	}
	mail, tk = d.path("mail.txt"), d.path("tokenizer")
	if err := create(mail, func(w io.Writer) error { return sample.Write(w, d.mailRand(0), d.size.mail) }); err != nil {
		return "", "", err
	}
	learnt, err := d.a.learnTokenizer(d.ctx, tokenizerFlags{
		out: tk, sources: []text.Options{{Paths: []string{mail}, Section: -1}},
		learnt: tokenizer.Training{Vocab: demoVocab, MinCount: 2, Special: []string{tokenizer.EndOfText}},
	})
	if err != nil {
		return "", "", err
	}
	d.print("%s: %d messages of a grammar, %.1f MB; %d tokens, one has %.1f characters", mail, learnt.Documents, float64(d.size.mail)/1e6, learnt.Vocab, learnt.CharsPerToken)
	return mail, tk, nil
}

// mailRand draws one of the demo's texts.
func (d *demo) mailRand(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(d.setup.Seed, 0x6d61696c<<8|stream)) // "mail"
}

// trainOne trains a small model anew, from a teacher too if there is one.
func (d *demo) trainOne(name string, s arch.Spec, mail, tk, teacher string) (r *trainResult, err error) {
	a, dir := d.a, d.path("small-"+name)
	how := "from random weights"
	if teacher != "" {
		how += ", and from what the small baseline expects"
	}
	d.title("Training a small %s, %s, %s", name, s.Name(), how)
	f := &trainFlags{command: "train", dir: dir, text: []string{mail}, tokenizer: tk, teacher: teacher, goesOn: "lathe demo", changed: func(flag string) bool { return flag == "steps" }}
	err = a.under(func(c *config) {
		t := &c.Train
		t.Steps = d.size.steps
		t.Batch, t.Micro, t.Sequence, t.Threads, t.LR = 16, 0, 64, 0, 3e-3
		t.Schedule, t.Warmup, t.EvalEvery, t.CheckpointEvery, t.Keep = string(train.Cosine), -1, d.size.steps/2, d.size.steps, 1
	}, func() error {
		r, err = a.newTraining(d.ctx, f, trainStart{candidate: arch.Candidate{Spec: s}})
		return err
	})
	if err != nil {
		return nil, err
	}
	d.print("%s decoder parameters, %d steps, %.3g tokens in %.0f s: perplexity on mail that it has not seen %.0f, now %.2f",
		fmt.Sprintf("%.0f thousand", float64(s.DecoderParams())/1e3), r.Steps, float64(r.Tokens), r.Seconds, math.Exp(*r.DevLossBefore), *r.DevPerplexity)
	return r, nil
}

// deploy writes the small pick as a folder for production, which is checked before it gets
// its place.
func (d *demo) deploy() (*exported, error) {
	a, dir := d.a, d.path("deploy")
	d.title("Exporting and verifying the small pick")
	f := exportFlags{dir: dir, loaders: "optimum,transformers.js", bos: bosAuto, force: true, precisions: "fp32"}
	x, closeModel, err := a.planExport(d.ctx, &f, pflag.NewFlagSet("export", pflag.ContinueOnError), []string{d.path("small-pick")})
	if err != nil {
		return nil, err
	}
	defer closeModel()
	done, err := a.export(d.ctx, x)
	if err != nil {
		return nil, err
	}
	passed := 0
	for _, c := range done.Checks {
		if c.Status == verify.Passed {
			passed++
		}
	}
	d.print("%s: %.1f MB, opens in Optimum and transformers.js as it is; %d checks passed: files, configurations, loaders, logits and tokens against the weights", dir, float64(done.Bytes)/1e6, passed)
	return done, nil
}

// demoRule shows what is more likely right than not, and ends where that is no longer so.
var demoRule = predictor.Rule{Show: math.Log(0.4), Stop: math.Log(0.4)}

// completeMail has the exported pick complete sentences of mail that nothing was trained on.
func (d *demo) completeMail() (list []demoCompletions, err error) {
	a := d.a
	d.title("Completing sentences with what was exported")
	models, closeModels, err := a.toScore(d.ctx, "", []string{d.path("deploy")})
	if err != nil {
		return nil, err
	}
	defer closeModels()
	p, err := a.openPredicting(d.ctx, &models[0], &predictFlags{bos: bosAuto}, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	s, closePredictor, err := p.predictor()
	if err != nil {
		return nil, err
	}
	defer closePredictor()
	const shown, tried = 3, 40
	rng := d.mailRand(1)
	messages := func(yield func(string, error) bool) {
		for range tried {
			if !yield(sample.Mail(rng), nil) {
				return
			}
		}
	}
	cases, _, err := predictor.Cases(d.ctx, messages, predictor.CaseOptions{PerDocument: 1}, rng)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		began := time.Now()
		got, err := s.Suggest(d.ctx, c.Context, demoRule)
		if err != nil {
			return nil, err
		}
		ms := time.Since(began).Seconds() * 1e3
		if got.Text == "" {
			continue
		}
		list = append(list, demoCompletions{Context: c.Context, Suggestion: got.Text, Follows: c.Rest, MS: ms})
		d.print("...%s|%s|   %.1f ms; it goes on %q", lastChars(c.Context, 44), got.Text, ms, c.Rest)
		if len(list) == shown {
			break
		}
	}
	if len(list) == 0 {
		d.print("the small pick is not sure enough of any of %d", len(cases))
	}
	return slices.Clip(list), nil
}

// lastChars is the end of a text, on one line.
func lastChars(s string, n int) string {
	for utf8.RuneCountInString(s) > n {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	out := []rune(s)
	for i, c := range out {
		if c == '\n' {
			out[i] = ' '
		}
	}
	return string(out)
}
