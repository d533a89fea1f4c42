package tokenizer

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// counted is a word, which tokens never cross, and how often it occurs.
type counted struct {
	text string
	n    int64
}

// batchBytes of text are counted at a time, so that handing over costs nothing.
const batchBytes = 1 << 18

// countWords counts the words of texts, in the order of their bytes.
//
// Note: the pattern's engine parts some megabytes a second. So it is asked for each
// stretch between white space once, of which most come again and again.
func countWords(ctx context.Context, texts iter.Seq2[string, error], workers int) ([]counted, error) {
	stretches, err := countStretches(ctx, texts, workers)
	if err != nil {
		return nil, err
	}
	split, err := newSplitter([]part{{pattern, "GPT-2"}})
	if err != nil {
		return nil, err
	}
	jobs := make(chan []string)
	words := make([]map[string]int64, workers)
	var wait sync.WaitGroup
	for i := range words {
		words[i] = map[string]int64{}
		wait.Go(func() {
			for job := range jobs {
				for _, s := range job {
					split.each(s, func(piece string) { words[i][piece] += stretches[s] })
				}
			}
		})
	}
	for job := range slices.Chunk(slices.Collect(maps.Keys(stretches)), 1024) {
		if ctx.Err() != nil {
			break
		}
		jobs <- job
	}
	close(jobs)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := make([]counted, 0, len(stretches))
	for s, n := range joinCounts(words) {
		all = append(all, counted{s, n})
	}
	slices.SortFunc(all, func(a, b counted) int { return cmp.Compare(a.text, b.text) })
	return all, nil
}

// countStretches counts the segments of texts.
func countStretches(ctx context.Context, texts iter.Seq2[string, error], workers int) (map[string]int64, error) {
	jobs := make(chan []string, workers)
	counts := make([]map[string]int64, workers)
	var wait sync.WaitGroup
	for i := range counts {
		counts[i] = map[string]int64{}
		wait.Go(func() {
			for job := range jobs {
				for _, text := range job {
					addStretches(counts[i], text)
				}
			}
		})
	}
	var failed error
	var batch []string
	size := 0
	for text, err := range texts {
		if failed = cmp.Or(err, ctx.Err()); failed != nil {
			break
		}
		batch = append(batch, text)
		if size += len(text); size >= batchBytes {
			jobs <- batch
			batch, size = nil, 0
		}
	}
	jobs <- batch
	close(jobs)
	wait.Wait()
	if failed != nil {
		return nil, failed
	}
	return joinCounts(counts), nil
}

func addStretches(counts map[string]int64, text string) {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	for len(text) > 0 {
		n := segment(text, false)
		if _, ok := counts[text[:n]]; ok {
			counts[text[:n]]++
		} else {
			counts[strings.Clone(text[:n])] = 1 // the text is not kept for a word of it
		}
		text = text[n:]
	}
}

func joinCounts(parts []map[string]int64) map[string]int64 {
	for _, p := range parts[1:] {
		for s, n := range p {
			parts[0][s] += n
		}
	}
	return parts[0]
}
