package tokenizer

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Training says what vocabulary is learnt.
type Training struct {
	// Vocab is the number of tokens: special ones, 256 bytes, and what merges make.
	// Text that does not repeat itself gives fewer merges than asked for.
	Vocab   int
	Special []string // have the first ids, in this order; nil: <|endoftext|>
	// MinCount is how often two tokens stand side by side at least to become one;
	// 0: twice, so that nothing is learnt by heart that occurs once.
	MinCount int
	Workers  int // that count words at a time; 0: 1
	// Progress, if not nil, is told of merges, after the counting.
	Progress func(done, of int)
}

// EndOfText is the special token that GPT-2 has between documents.
const EndOfText = "<|endoftext|>"

func (o Training) withDefaults() Training {
	if o.Special == nil {
		o.Special = []string{EndOfText}
	}
	o.MinCount = max(o.MinCount, 0)
	if o.MinCount == 0 {
		o.MinCount = 2
	}
	o.Workers = max(o.Workers, 1)
	return o
}

// Validate reports the first option that makes no vocabulary.
func (o Training) Validate() error {
	o = o.withDefaults()
	for i, name := range o.Special {
		switch {
		case name == "":
			return fmt.Errorf("tokenizer: special token %d is empty: want a name, such as %s", i, EndOfText)
		case len(name) > maxToken:
			return fmt.Errorf("tokenizer: special token %.60q has %d bytes: want %d at most", name, len(name), maxToken)
		case len([]rune(name)) == 1 && isByteName(name):
			return fmt.Errorf("tokenizer: special token %q is how a vocabulary writes a single byte: want a longer name, such as <%s>", name, name)
		case slices.Contains(o.Special[:i], name):
			return fmt.Errorf("tokenizer: special token %q is there twice", name)
		}
	}
	if least := len(runeOf) + len(o.Special); o.Vocab < least || o.Vocab > maxID+1 {
		return fmt.Errorf("tokenizer: a vocabulary of %d: want %d (256 bytes and %d special) to %d", o.Vocab, least, len(o.Special), maxID+1)
	}
	return nil
}

func isByteName(name string) bool {
	_, ok := byteOf[[]rune(name)[0]]
	return ok
}

// Train learns a byte-level vocabulary from texts, parted as GPT-2 parts text: again
// and again the two tokens that stand side by side most often become one (Sennrich,
// Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units",
// 2016, over bytes as Radford et al., 2019). Of pairs as frequent as one another that
// of the lowest ids is first, so that the result depends on how often words occur and
// on nothing else. Names of special tokens in texts are text; bytes that are no UTF-8
// are U+FFFD.
//
// Words are counted as texts come: what is held in memory is each different word once.
// An error of texts ends it.
func Train(ctx context.Context, texts iter.Seq2[string, error], o Training) (*Trained, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	words, err := countWords(ctx, texts, o.Workers)
	if err != nil {
		return nil, err
	}
	t := &Trained{special: slices.Clone(o.Special), tokens: alphabet()}
	if err := t.learn(ctx, words, o); err != nil {
		return nil, err
	}
	return t, nil
}

// alphabet is the bytes in the order of the characters that they are written by, as
// Hugging Face's tokenizers number them.
func alphabet() []string {
	order := runeOf
	slices.Sort(order[:])
	all := make([]string, 0, len(order))
	for _, r := range order {
		all = append(all, string([]byte{byteOf[r]}))
	}
	return all
}
