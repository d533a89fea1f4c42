package eval

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// scoredIn is the window that scores a document's token, by the definition: the first
// that reaches it, unless it is that window's first token. -1 if none does.
func scoredIn(t, context, stride int) int {
	k := 0
	for k*stride+context <= t {
		k++
	}
	if t == k*stride {
		return -1
	}
	return k
}

func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, context := rapid.IntRange(0, 60).Draw(t, "n"), rapid.IntRange(2, 20).Draw(t, "context")
		stride := rapid.IntRange(1, context).Draw(t, "stride")
		want := make([]int, n)
		for i := range want {
			want[i] = scoredIn(i, context, stride)
		}
		got := make([]int, n)
		for i := range got {
			got[i] = -1
		}
		for _, w := range spans(7, n, context, stride) {
			if w.doc != 7 || w.begin%stride != 0 || w.end > n || w.end-w.begin > context || w.scored < 1 || w.scored >= w.end-w.begin {
				t.Fatalf("%+v of %d tokens", w, n)
			}
			for i := w.end - w.scored; i < w.end; i++ {
				if got[i] != -1 {
					t.Fatalf("token %d is scored twice", i)
				}
				got[i] = w.begin / stride
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("windows %v, want %v", got, want)
		}
	})
}

// The example of Hugging Face's documentation, in numbers: 10 tokens in windows of 4.
func TestSpansOfTen(t *testing.T) {
	for _, c := range []struct {
		stride int
		want   []span
	}{
		{2, []span{{0, 0, 4, 3}, {0, 2, 6, 2}, {0, 4, 8, 2}, {0, 6, 10, 2}}},
		{4, []span{{0, 0, 4, 3}, {0, 4, 8, 3}, {0, 8, 10, 1}}},
		{3, []span{{0, 0, 4, 3}, {0, 3, 7, 3}, {0, 6, 10, 3}}},
	} {
		if got := spans(0, 10, 4, c.stride); !slices.Equal(got, c.want) {
			t.Errorf("stride %d: %v, want %v", c.stride, got, c.want)
		}
	}
}

// Every window is in one batch, the longest in the first, and those of a batch are
// neighbours by length.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(2, 40), 1, 50).Draw(t, "lengths")
		most := rapid.IntRange(1, 9).Draw(t, "most")
		windows := make([]Window, len(lengths))
		for i, n := range lengths {
			windows[i] = Window{make([]int64, n), 1}
		}
		seen := map[int]bool{}
		all := batches(windows, most)
		sorted := slices.Clone(lengths)
		slices.Sort(sorted)
		for _, b := range all {
			low, high := math.MaxInt, 0
			for _, i := range b {
				if seen[i] {
					t.Fatalf("window %d is in two batches", i)
				}
				seen[i] = true
				low, high = min(low, lengths[i]), max(high, lengths[i])
			}
			between := 0
			for _, n := range sorted {
				if low < n && n < high {
					between++
				}
			}
			if len(b) > most || between > len(b) {
				t.Fatalf("a batch of %d, at most %d, with lengths from %d to %d, and %d between", len(b), most, low, high, between)
			}
		}
		if len(seen) != len(windows) || len(windows[all[0][0]].IDs) != slices.Max(lengths) {
			t.Fatalf("%d of %d windows, the first of %d tokens", len(seen), len(windows), len(windows[all[0][0]].IDs))
		}
	})
}

// However many batches have been run, the windows left out are spread over all lengths.
func TestBatchesSpread(t *testing.T) {
	for n := 1; n <= 70; n++ {
		windows := make([]Window, n)
		for i := range windows {
			windows[i] = Window{make([]int64, 2+i), 1}
		}
		all := batches(windows, 1)
		for done := 1; done <= n; done++ {
			at := []int{-1, n}
			for _, b := range all[:done] {
				at = append(at, b[0])
			}
			slices.Sort(at)
			gap := 0
			for i := range at[1:] {
				gap = max(gap, at[i+1]-at[i])
			}
			if float64(gap) > 4*float64(n)/float64(done)+1 {
				t.Fatalf("%d of %d batches leave a gap of %d", done, n, gap)
			}
		}
	}
}
