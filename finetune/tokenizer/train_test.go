package tokenizer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/runtime/provision/provisiontest"
)

var trainedOut = flag.String("trained", "", "`FOLDER` to keep trained tokenizers in, to be held against other libraries")

func each(texts ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, s := range texts {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func train(t testing.TB, o Training, texts ...string) *Trained {
	t.Helper()
	tr, err := Train(context.Background(), each(texts...), o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func stories(t testing.TB) []string {
	text := string(readFile(t, provisiontest.Shared(t, "small-lm/tinystories_sample.txt")))
	all := strings.Split(text, EndOfText)
	for i, s := range all {
		all[i] = strings.TrimRight(strings.TrimLeft(s, "\r\n"), " \t\r\n")
	}
	return all
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// What Hugging Face's tokenizers learns from the same texts: testdata/make_trained.py
// wrote hashes of its vocabulary and merges.
func TestTrainAsOthers(t *testing.T) {
	var want map[string]struct{ Vocab, Merges string }
	if err := json.Unmarshal(readFile(t, filepath.Join("testdata", "trained.json")), &want); err != nil {
		t.Fatal(err)
	}
	texts := map[string][]string{
		"tinystories":     stories(t),
		"tinyshakespeare": {string(readFile(t, provisiontest.Shared(t, "small-lm/tinyshakespeare.txt")))},
	}
	for name, w := range want {
		tr := train(t, Training{Vocab: 4096, Workers: 2}, texts[name]...)
		var vocab, merges strings.Builder
		vocab.WriteString(strings.Join(tr.special, "\n") + "\n")
		for _, s := range tr.tokens {
			vocab.WriteString(written(s) + "\n")
		}
		for _, m := range tr.merges {
			merges.WriteString(written(tr.tokens[m[0]]) + " " + written(tr.tokens[m[1]]) + "\n")
		}
		if got := sum(vocab.String()); got != w.Vocab {
			t.Errorf("%s: vocabulary %s, want %s", name, got, w.Vocab)
		}
		if got := sum(merges.String()); got != w.Merges {
			t.Errorf("%s: merges %s, want %s", name, got, w.Merges)
		}
		if *trainedOut != "" {
			var b bytes.Buffer
			if err := tr.Write(&b); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(*trainedOut, name+".json"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// slowMerges learns by counting everything anew for each merge.
func slowMerges(words map[string]int, vocab, least int) (merges [][2]string) {
	ids := map[string]int{}
	for i, b := range alphabet() {
		ids[b] = i
	}
	parts := map[string][]string{}
	for w := range words {
		for i := range len(w) {
			parts[w] = append(parts[w], w[i:i+1])
		}
	}
	for len(ids) < vocab {
		count := map[[2]string]int{}
		for w, p := range parts {
			for i := range len(p) - 1 {
				count[[2]string{p[i], p[i+1]}] += words[w]
			}
		}
		var best [2]string
		for p, n := range count {
			b := count[best]
			if n > b || n == b && (ids[p[0]] < ids[best[0]] || ids[p[0]] == ids[best[0]] && ids[p[1]] < ids[best[1]]) {
				best = p
			}
		}
		if count[best] < least {
			break
		}
		merges = append(merges, best)
		ids[best[0]+best[1]] = len(ids)
		for w, p := range parts {
			var q []string
			for i := 0; i < len(p); i++ {
				if i+1 < len(p) && p[i] == best[0] && p[i+1] == best[1] {
					q = append(q, p[i]+p[i+1])
					i++
				} else {
					q = append(q, p[i])
				}
			}
			parts[w] = q
		}
	}
	return merges
}

func TestTrainIsSlowTraining(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[abé]{1,12}`), 1, 30).Draw(t, "words")
		vocab := rapid.IntRange(256, 300).Draw(t, "vocab")
		least := rapid.IntRange(1, 3).Draw(t, "least")
		counts := map[string]int{}
		for _, w := range words {
			counts[w]++
		}
		tr, err := Train(context.Background(), each(words...), Training{Vocab: vocab, Special: []string{}, MinCount: least})
		if err != nil {
			t.Fatal(err)
		}
		var got [][2]string
		for _, m := range tr.merges {
			got = append(got, [2]string{tr.tokens[m[0]], tr.tokens[m[1]]})
		}
		if want := slowMerges(counts, vocab, least); !slices.Equal(got, want) {
			t.Fatalf("%q\n got %q\nwant %q", words, got, want)
		}
		tk, err := tr.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(words, " ")
		if back := tk.Decode(tk.Encode(text)); back != text {
			t.Fatalf("%q becomes %q", text, back)
		}
	})
}

// What is learnt does not depend on the order of the texts or on how many count.
func TestTrainIsDeterministic(t *testing.T) {
	texts := stories(t)[:300]
	var want, got bytes.Buffer
	if err := train(t, Training{Vocab: 1000}, texts...).Write(&want); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(texts)
	if err := train(t, Training{Vocab: 1000, Workers: 3}, texts...).Write(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("another order gives another vocabulary")
	}
}

// Fewer merges than asked for, special names that a text has as words, bytes that are
// no text, and more of one letter than a token may have.
func TestTrainOddTexts(t *testing.T) {
	ruled := strings.Repeat("=", 300)
	tr := train(t, Training{Vocab: 5000, Special: []string{"<s>", "hello"}}, "hello hello hello", "hello \xff\xfe \x00", strings.Repeat("z", 5000), ruled+"\n"+ruled)
	tk, err := tr.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	if n := tk.VocabSize(); n != tr.VocabSize() || n >= 5000 || n < 262 {
		t.Errorf("%d tokens, said to be %d", n, tr.VocabSize())
	}
	if id, ok := tk.Special("hello"); id != 1 || !ok {
		t.Errorf("hello is %d, %v", id, ok)
	}
	for _, s := range tr.tokens {
		if len(s) > maxLearnt || s == "hello" {
			t.Errorf("token %q", s)
		}
	}
	for _, text := range []string{"hello", " hello hello", "zzzz==\x00é語"} {
		if back := tk.Decode(tk.Encode(text)); back != text {
			t.Errorf("%q becomes %q", text, back)
		}
	}
}

func TestTrainErrors(t *testing.T) {
	for _, c := range []struct {
		o    Training
		want string
	}{
		{Training{Vocab: 256}, "a vocabulary of 256: want 257 (256 bytes and 1 special) to 2097152"},
		{Training{Vocab: 1 << 22}, "a vocabulary of 4194304: want"},
		{Training{Vocab: 300, Special: []string{"<a>", ""}}, "special token 1 is empty"},
		{Training{Vocab: 300, Special: []string{"<a>", "<a>"}}, `special token "<a>" is there twice`},
		{Training{Vocab: 300, Special: []string{"a"}}, `special token "a" is how a vocabulary writes a single byte`},
	} {
		if _, err := Train(t.Context(), each("x"), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := Train(t.Context(), func(yield func(string, error) bool) { yield("", broken) }, Training{Vocab: 300}); !errors.Is(err, broken) {
		t.Errorf("a text's error becomes %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ctx, each("a a"), Training{Vocab: 300}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Two megabytes of stories and 4096 tokens.
func BenchmarkTrain(b *testing.B) {
	texts := stories(b)
	n := 0
	for _, s := range texts {
		n += len(s)
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		train(b, Training{Vocab: 4096, Workers: 2}, texts...)
	}
}
