package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// Options are what is asked of a folder, and what answers it. Where a function is nil,
// the checks that need it are skipped.
type Options struct {
	// Loaders are the programs that are to open it; none: those whose layout it has.
	Loaders []bundle.Loader
	// Open makes a new session of a model.
	Open func(ctx context.Context, b *bundle.Bundle, m bundle.Model) (*ort.Session, error)
	// Recognise says what a model is.
	Recognise func(b *bundle.Bundle, m bundle.Model) (Recognised, error)
	// Source is what a model's logits are held against. An error that is ErrNoSource
	// says why there is nothing.
	Source func(ctx context.Context, b *bundle.Bundle, m bundle.Model) (Source, error)
	// Tokenizer reads the folder's tokenizer and returns how many tokens it has; an error
	// says that it is not that of a model of so many.
	Tokenizer func(b *bundle.Bundle, vocab int) (size int, err error)
	// Prompts are what is generated behind, given the vocabulary and the positions (0: not
	// known), each short enough; nil draws some.
	Prompts func(vocab, positions int) ([][]int64, error)
	// Perplexity scores a text. An error fails the check.
	Perplexity func(ctx context.Context, b *bundle.Bundle, m bundle.Model) (Scored, error)
	// Latency is what a model is timed beside; nil: nothing.
	Latency *Latency
	// Elsewhere says why a model that was optimized for a processor cannot run here, ""
	// where it can.
	Elsewhere func(e *bundle.Entry) string

	Rand     *rand.Rand           // draws prompts, and orders of timing
	Now      func() time.Duration // from any origin; times the creation of sessions
	Progress func(what string)
}

// Recognised is what a model's graph is known to be.
type Recognised struct {
	Spec  *arch.Spec // nil: a decoder of no known family
	Build arch.Build // precision and float type, as far as the graph tells
}

// Source is a model that another is held against. Its session is made when it is first
// needed, and closed soon.
type Source struct {
	Name string // what it is, for people; the same name is the same source
	Open func(ctx context.Context) (s *ort.Session, close func() error, err error)
}

// ErrNoSource marks that there is nothing to hold a model against.
var ErrNoSource = errors.New("no source")

// Scored is what a text says of a model.
type Scored struct {
	Perplexity float64
	CI         *[2]float64
	// Before is the source's perplexity, and Ratio what the model's is to it; nil where
	// there is none, or the model is its own source.
	Before, Ratio *float64
	RatioCI       *[2]float64
	Most          *float64 // that Ratio may be; nil: anything
	Detail        string   // of which text
}

// verifier is one run over a folder.
type verifier struct {
	o       Options
	b       *bundle.Bundle
	r       *Report
	loaders []bundle.Loader
	sources map[string][]*trace
	names   []string             // of sources, in the order of their first use
	drawn   map[[2]int][][]int64 // prompts, by vocabulary and positions
}

// ErrNoFolder marks what is no bundle at all: not a check that fails, but bad input.
var ErrNoFolder = errors.New("no folder with a model")

// Folder checks a folder. What is wrong with it is in the report; an error is of what
// is no bundle at all (ErrNoFolder), of the system, or of the caller's context.
func Folder(ctx context.Context, dir string, o Options) (*Report, error) {
	v := &verifier{o: o, r: &Report{Folder: dir, Loaders: []string{}, Checks: []Check{}, Warnings: []string{}}, sources: map[string][]*trace{}, drawn: map[[2]int][][]int64{}}
	b, err := bundle.Open(dir)
	switch {
	case errors.Is(err, bundle.ErrNoBundle), isNoFolder(dir):
		return nil, fmt.Errorf("verify: %w: %w", ErrNoFolder, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	case errors.Is(err, bundle.ErrContradicts):
		v.add(failed(Config, "", err))
		return v.r, nil
	case err != nil:
		v.add(failed(Files, "", err))
		return v.r, nil
	}
	v.b = b
	v.add(passed(Files, "", fmt.Sprintf("%d models", len(b.Models))))
	for _, w := range b.Warnings {
		v.r.Warnings = append(v.r.Warnings, w.Error())
	}
	if err := v.checksums(ctx); err != nil {
		return nil, err
	}
	v.chooseLoaders()
	v.tokenizer()
	for _, m := range b.Models {
		if err := v.model(ctx, m); err != nil {
			return v.r, err
		}
	}
	v.size()
	if len(v.names) > 0 {
		v.r.Source = v.names[0]
	}
	return v.r, nil
}

// isNoFolder reports what is there, if anything, but no folder.
func isNoFolder(dir string) bool {
	info, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir()
}

func (v *verifier) add(c ...Check) { v.r.Checks = append(v.r.Checks, c...) }

func (v *verifier) progress(format string, args ...any) {
	if v.o.Progress != nil {
		v.o.Progress(fmt.Sprintf(format, args...))
	}
}

func (v *verifier) checksums(ctx context.Context) error {
	if v.b.Manifest == nil {
		v.add(skipped(Checksums, "", "the folder has no "+bundle.ManifestFile))
		return nil
	}
	v.progress("checksums")
	err := v.b.Verify(ctx, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.add(failed(Checksums, "", err))
	} else {
		v.add(passed(Checksums, "", fmt.Sprintf("%d files", len(v.b.Manifest.Files))))
	}
	return nil
}

// chooseLoaders are those asked for, and otherwise those that the manifest names or
// whose layout it is.
func (v *verifier) chooseLoaders() {
	v.loaders = v.o.Loaders
	if len(v.loaders) == 0 {
		v.loaders = v.b.Loaders
		if v.b.Manifest != nil {
			v.loaders = v.b.Manifest.Loaders
		}
	}
	for _, l := range v.loaders {
		v.r.Loaders = append(v.r.Loaders, string(l))
		if !slices.Contains(v.b.Loaders, l) {
			v.add(failed(FeedsPrefix+string(l), "", errors.New("the folder does not have its layout: "+layout(l))))
		}
	}
	v.loaders = slices.DeleteFunc(slices.Clone(v.loaders), func(l bundle.Loader) bool { return !slices.Contains(v.b.Loaders, l) })
}

// layout is what a loader looks for.
func layout(l bundle.Loader) string {
	switch l {
	case bundle.TransformersJS:
		return bundle.ConfigFile + ", and models in onnx/"
	case bundle.GenAI:
		return bundle.GenAIFile
	}
	return bundle.ConfigFile
}

// tokenizer is checked once, against the vocabulary of the first model that says it.
func (v *verifier) tokenizer() {
	for _, m := range v.b.Models {
		if f, _, err := v.factsOf(m); err == nil && f.vocab() > 0 {
			v.add(checkTokenizer(v.b, f.vocab(), &v.o))
			return
		}
	}
	if v.b.Vocab > 0 {
		v.add(checkTokenizer(v.b, v.b.Vocab, &v.o))
		return
	}
	v.add(skipped(Tokenizer, "", "no graph says how many tokens it has"))
}

// factsOf reads a model's graph. Its error is that of a graph that is no decoder.
func (v *verifier) factsOf(m bundle.Model) (*facts, *ort.Declared, error) {
	d, err := ort.ReadDeclared(v.b.Path(m))
	if err != nil {
		return nil, nil, err
	}
	f := &facts{}
	if v.o.Recognise != nil {
		known, err := v.o.Recognise(v.b, m)
		if err != nil {
			return nil, d, err
		}
		f.spec, f.build = known.Spec, known.Build
	}
	if m.Entry != nil {
		f.build = m.Entry.Build
	}
	f.info, err = decode.Describe(d)
	return f, d, err
}

// size is what the folder takes.
func (v *verifier) size() {
	var bytes int64
	err := fs.WalkDir(os.DirFS(v.b.Dir), ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		v.add(failed(Size, "", err))
		return
	}
	mb := float64(bytes) / 1e6
	v.add(Check{Name: Size, Status: Passed, Value: &mb, Unit: "MB", Detail: "all files of the folder"})
}
