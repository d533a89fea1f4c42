package predictor

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func texts(list ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, s := range list {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func TestCases(t *testing.T) {
	mail := "Hi Ann.  Could you send me the file? I need it by noon\nThanks,\nBéa 👍 really"
	other := strings.Repeat("word ", 400) + "is the last."
	cases, stats, err := Cases(t.Context(), texts(mail, other, mail, "", "One.", "bad \xff bytes here"), CaseOptions{PerDocument: 3, MaxContext: 50}, generator(1))
	if err != nil {
		t.Fatal(err)
	}
	if want := (CaseStats{Documents: 6, Repeated: 1, Short: 2, Invalid: 1, Made: 5}); stats != want {
		t.Errorf("%+v, want %+v", stats, want)
	}
	for _, c := range cases {
		if n := utf8.RuneCountInString(c.Context); n == 0 || n > 50 {
			t.Errorf("a context of %d characters: %q", n, c.Context)
		}
		if last, _ := utf8.DecodeLastRuneInString(c.Context); unicode.IsSpace(last) {
			t.Errorf("%q ends in a space", c.Context)
		}
		if strings.Contains(c.Rest, "\n") || !strings.ContainsFunc(c.Rest, inWord) || strings.TrimRight(c.Rest, " ") != c.Rest {
			t.Errorf("%q is no rest of a sentence", c.Rest)
		}
		if whole := c.Context + c.Rest; !strings.Contains(mail, whole) && !strings.Contains(other, whole) && !strings.Contains("bad \uFFFD bytes here", whole) {
			t.Errorf("%q and %q are of no text", c.Context, c.Rest)
		}
	}
	again, _, _ := Cases(t.Context(), texts(mail, other, mail, "", "One.", "bad \xff bytes here"), CaseOptions{PerDocument: 3, MaxContext: 50}, generator(1))
	if !slices.Equal(cases, again) {
		t.Error("the same seed gives other cases")
	}
	few, stats, err := Cases(t.Context(), texts(mail, other), CaseOptions{Cases: 2}, generator(1))
	if err != nil || len(few) != 2 || stats.Made != 3 {
		t.Errorf("%d of %d cases: %v", len(few), stats.Made, err)
	}
}

// Places are all over sentences, inside words and at their ends.
func TestPlaces(t *testing.T) {
	text, at := "some words go on.", map[string]int{}
	rng := generator(1)
	for range 2000 {
		at[span{0, len(text)}.cut(text, 100, rng).Context]++
	}
	// All places but before the first character, behind the three spaces, and before the full
	// stop, behind which no word follows.
	if want := len(text) - 1 - 3 - 1; len(at) != want {
		t.Errorf("%d places, want %d: %v", len(at), want, at)
	}
	for context, n := range at {
		if n < 100 {
			t.Errorf("%q: %d of 2000", context, n)
		}
	}
}

func TestCasesRefuse(t *testing.T) {
	if _, _, err := Cases(t.Context(), texts("", "One", "Two.\nThree"), CaseOptions{}, generator(1)); err == nil {
		t.Error("no sentence to cut: no error")
	}
	// Lines without a word behind their first character have no place.
	if _, _, err := Cases(t.Context(), texts("* * *", "a .", "-- --\n> >"), CaseOptions{}, generator(1)); err == nil {
		t.Error("no word to cut at: no error")
	}
	if _, _, err := Cases(t.Context(), texts("a b"), CaseOptions{Cases: -1}, generator(1)); err == nil {
		t.Error("-1 cases: no error")
	}
	broken := errors.New("broken")
	failing := func(yield func(string, error) bool) { yield("", broken) }
	if _, _, err := Cases(t.Context(), failing, CaseOptions{}, generator(1)); !errors.Is(err, broken) {
		t.Errorf("a text that cannot be read: %v", err)
	}
}

// FuzzCases cuts any text: its cases are of the text, and have something of a word to come.
func FuzzCases(f *testing.F) {
	f.Add("Hi Ann.  Could you send it?\n* * *\nThanks, a .", uint64(1))
	f.Add("bad \xff bytes\u2028\" . ?\r\n", uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		cases, _, err := Cases(t.Context(), texts(text), CaseOptions{PerDocument: 5, MaxContext: 20}, generator(seed))
		if err != nil {
			return
		}
		valid, _ := replaceInvalid(text)
		for _, c := range cases {
			if c.Context == "" || !strings.ContainsFunc(c.Rest, inWord) || !strings.Contains(valid, c.Context+c.Rest) {
				t.Fatalf("%q and %q of %q", c.Context, c.Rest, text)
			}
		}
	})
}
