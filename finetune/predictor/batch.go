package predictor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// BatchOptions say how many contexts are decoded together.
type BatchOptions struct {
	Reader    Reader
	MaxTokens int // of a suggestion; 0: DefaultMaxTokens
	// Progress is told of contexts that are done.
	Progress func(done, total int)
}

// Traced is what was decoded behind a context, whatever the thresholds.
type Traced struct {
	Prompt Prompt
	Trace  Trace
}

// Batch decodes what follows each of many contexts, as many at a time as the model has
// rows. Results are in the order of the contexts. When ctx ends it returns ctx's error.
func Batch(ctx context.Context, m Model, contexts []string, o BatchOptions) ([]Traced, error) {
	rows, info := m.Info().Batch, m.Info()
	most := cmp.Or(o.MaxTokens, DefaultMaxTokens)
	v, err := newVocabulary(o.Reader.Vocabulary, info.Vocab)
	if err != nil {
		return nil, err
	}
	out := make([]Traced, len(contexts))
	order := make([]int, len(contexts))
	for i, text := range contexts {
		if out[i].Prompt, err = o.Reader.Prompt(text, info.MaxLen-most); err != nil {
			return nil, fmt.Errorf("context %d: %w", i+1, err)
		}
		order[i] = i
	}
	// Prompts of one length need no padding.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(out[a].Prompt.IDs), len(out[b].Prompt.IDs)) })
	for done := 0; done < len(order); {
		group := order[done:min(done+rows, len(order))]
		if err := decodeGroup(ctx, m, v, out, group, most); err != nil {
			return nil, err
		}
		if done += len(group); o.Progress != nil {
			o.Progress(done, len(order))
		}
	}
	return out, nil
}

// decodeGroup decodes some contexts, at most as many as the model has rows, at once.
func decodeGroup(ctx context.Context, m Model, v *vocabulary, all []Traced, group []int, most int) error {
	rows := m.Info().Batch
	prompts, next := make([][]int64, rows), make([]int64, rows)
	decodings := make([]*decoding, len(group))
	for row := range rows {
		t := &all[group[min(row, len(group)-1)]] // the last one fills up
		prompts[row] = t.Prompt.IDs
		if row < len(group) {
			decodings[row] = newDecoding(v, t.Prompt.Pending, most)
		}
	}
	m.Reset()
	if err := m.Prefill(prompts); err != nil {
		return err
	}
	for {
		open := false
		for row, d := range decodings {
			next[row] = 0 // of a row that has ended, whatever follows
			if d.trace.End != Open {
				continue
			}
			if err := d.take(m.Last(row)); err != nil {
				return err
			}
			if d.trace.End == Open {
				next[row], open = d.last(), true
			}
		}
		if !open {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Step(next); err != nil {
			return err
		}
	}
	for row, d := range decodings {
		all[group[row]].Trace = d.trace
	}
	return nil
}
