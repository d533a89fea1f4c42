package text

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Corpus is text as tokens, in three parts. It is safe for concurrent use.
type Corpus struct {
	h       header
	tokens  [parts]*Tokens
	remove  string // the temporary folder that Close removes
	rebuilt error
}

// Open reads text, or finds its tokens in the cache, where they are kept under a hash
// of the files' contents, of the tokenizer and of the options. What is found there is
// checked, and made anew if it is damaged (see Rebuilt). Someone else who opens the same
// waits until it is done.
func Open(ctx context.Context, o Options) (*Corpus, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	files, err := find(o.Paths)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	total := totalSize(files)
	key, err := keyOf(ctx, files, o, o.stage(Hashing, total))
	if err != nil {
		return nil, err
	}
	c := &Corpus{}
	cache := o.Cache
	if cache == "" {
		if cache, err = os.MkdirTemp("", "lathe-text-"); err != nil {
			return nil, fmt.Errorf("text: %w", err)
		}
		c.remove = cache
	}
	err = c.fromCache(ctx, cache, key, func(dir string) (header, error) {
		return build(ctx, dir, key, files, o, o.stage(Tokenizing, total))
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// stage counts what is read for Progress.
func (o Options) stage(s Stage, total int64) func(int) {
	done := int64(0)
	return func(n int) {
		if done += int64(n); o.Progress != nil {
			o.Progress(s, done, total)
		}
	}
}

// keyOf names what is made of the files' contents. Names and dates of files are not
// part of it, their order is.
func keyOf(ctx context.Context, files []file, o Options, read func(int)) (string, error) {
	all := sha256.New()
	about, err := json.Marshal(struct {
		Format      int
		Tokenizer   string
		Separator   string
		BlankLines  bool
		Whole       bool
		Section     int
		Fields      []string
		Instruction *Instruction
		EndOfText   int
		Split       Fractions
	}{keptFormat, o.Tokenizer.Fingerprint(), o.Separator, o.BlankLines, o.Whole, o.Section, o.Fields, o.Instruction, o.EndOfText, *o.Split})
	if err != nil {
		return "", fmt.Errorf("text: %w", err) // shares that are no numbers: not valid
	}
	all.Write(about)
	for _, f := range files {
		in, err := os.Open(f.path)
		if err != nil {
			return "", fmt.Errorf("text: %w", err)
		}
		one := sha256.New()
		_, err = io.Copy(one, &watched{ctx, in, read})
		in.Close()
		if err != nil {
			return "", fmt.Errorf("text: %s: %w", f.path, err)
		}
		fmt.Fprintf(all, "%s %x\n", f.format, one.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil)[:16]), nil
}

// fromCache opens what is kept under key, or has it made.
func (c *Corpus) fromCache(ctx context.Context, cache, key string, build func(dir string) (header, error)) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	lock := flock.New(filepath.Join(cache, key+".lock"), flock.SetPermissions(0o644))
	if ok, err := lock.TryLockContext(ctx, 100*time.Millisecond); !ok {
		return fmt.Errorf("text: the cache %s: %w", cache, err)
	}
	defer lock.Close()
	dir := filepath.Join(cache, key)
	h, err := readHeader(dir, key)
	if err == nil {
		err = h.verify(dir)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) || exists(dir) {
			c.rebuilt = fmt.Errorf("text: kept tokens were damaged and are made anew: %s: %w", dir, err)
		}
		if h, err = rebuild(dir, build); err != nil {
			return err
		}
	}
	c.h = h
	for p := range parts {
		if c.tokens[p], err = openTokens(dir, Part(p), h); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// rebuild makes what belongs in dir beside it, and renames it when it is whole. The
// caller has the lock: what others left beside it is of runs that were killed.
func rebuild(dir string, build func(dir string) (header, error)) (header, error) {
	making := dir + ".part"
	if err := errors.Join(os.RemoveAll(making), os.Mkdir(making, 0o755)); err != nil {
		return header{}, fmt.Errorf("text: %w", err)
	}
	h, err := build(making)
	if err != nil {
		return h, errors.Join(err, os.RemoveAll(making))
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(making, dir)); err != nil {
		return h, fmt.Errorf("text: %w", err)
	}
	return h, nil
}

// Rebuilt says why tokens that were kept had to be made anew; nil if they had not.
func (c *Corpus) Rebuilt() error { return c.rebuilt }

// Key names the corpus: it is equal where files' contents, tokenizer and options are.
func (c *Corpus) Key() string { return c.h.Key }

// Split is one of the parts.
func (c *Corpus) Split(p Part) *Tokens { return c.tokens[p] }

// Check reports whether the text has ids that a model of vocab tokens lacks.
func (c *Corpus) Check(vocab int) error {
	if c.h.MaxID < int64(vocab) {
		return nil
	}
	return fmt.Errorf("text: the text has token %d and the model %d tokens, 0 to %d: want the model's own tokenizer, or a model of this one's vocabulary", c.h.MaxID, vocab, vocab-1)
}

// Close ends the use of the corpus and of what was made of it.
func (c *Corpus) Close() error {
	var errs []error
	for _, t := range c.tokens {
		if t != nil {
			errs = append(errs, t.close())
		}
	}
	if c.remove != "" {
		errs = append(errs, os.RemoveAll(c.remove))
	}
	return errors.Join(errs...)
}
