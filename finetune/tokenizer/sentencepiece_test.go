package tokenizer

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// message appends fields to a protobuf message: values are strings, numbers, floats.
func message(parts ...any) []byte {
	var b []byte
	for i := 0; i < len(parts); i += 2 {
		num := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
		case float64:
			b = protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), math.Float32bits(float32(v)))
		}
	}
	return b
}

// tinyModel is a SentencePiece model of a few pieces, with more fields behind them.
func tinyModel(more ...any) []byte {
	b := message(
		modelPieces, message(pieceText, "<unk>", pieceScore, 0.0, pieceKind, 2),
		modelPieces, message(pieceText, "<s>", pieceKind, 3),
		modelPieces, message(pieceText, "▁t", pieceScore, -1.0),
		modelPieces, message(pieceText, "▁the", pieceScore, -3.0),
		modelPieces, message(pieceText, "he", pieceScore, -2.0),
		modelPieces, message(pieceText, "▁", pieceScore, -4.0),
		modelPieces, message(pieceText, "t", pieceScore, -5.0),
		modelPieces, message(pieceText, "h", pieceScore, -6.0),
		modelPieces, message(pieceText, "e", pieceScore, -7.0),
		modelTrainer, message(trainerType, typeBPE),
	)
	if len(more) == 0 {
		more = []any{modelNormalizer, message(normalizerTrim, 0)}
	}
	return append(b, message(more...)...)
}

// tinyBin is a llama2.c tokenizer of the bytes and a few more.
func tinyBin() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 7)
	add := func(s string, score float32) {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(score))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, s := range []string{"<unk>", "\n<s>\n", "\n</s>\n"} {
		add(s, 0)
	}
	for i := range 256 {
		add("<0x"+string("0123456789ABCDEF"[i>>4])+string("0123456789ABCDEF"[i&15])+">", 0)
	}
	for i, s := range []string{" t", "he", " the", " ", "t", "h", "e"} {
		add(s, -float32(i))
	}
	return b
}

func TestModel(t *testing.T) {
	tk, err := ParseModel(tinyModel(), "m")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode("the tehe thé"), []int{3, 2, 8, 4, 2, 7, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := tk.Continue("the"), []int{6, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := tk.EncodeSpecial("<s>the<s>"), []int{1, 3, 1}; !slices.Equal(got, want) || tk.Decode(got) != "<s>the<s>" {
		t.Errorf("%v, want %v", got, want)
	}
	if got := tk.Decode([]int{3, 0, 3}); got != "the<unk> the" {
		t.Errorf("%q", got)
	}
	if id, ok := tk.Special("<s>"); id != 1 || !ok {
		t.Errorf("<s> is %d, %v", id, ok)
	}
	// Defaults of the format: Unigram, spaces trimmed, one put before the text.
	plain := message(modelPieces, message(pieceText, "<unk>", pieceKind, 2), modelPieces, message(pieceText, "▁"), modelPieces, message(pieceText, "a"))
	if tk, err = ParseModel(plain, "m"); err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode("  a  aa "), []int{1, 2, 1, 2, 2}; !slices.Equal(got, want) || tk.Decode(got) != "a aa" {
		t.Errorf("%v, want %v", got, want)
	}
	if got := tk.Encode("   "); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestModelMalformed(t *testing.T) {
	data := tinyModel()
	withPiece := func(parts ...any) []byte { return tinyModel(modelPieces, message(parts...)) }
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "the file is empty"},
		{data[:30], "byte 25: unexpected EOF: want a SentencePiece model"},
		{[]byte("# text\n"), "want a SentencePiece model"},
		{message(modelTrainer, message(trainerType, typeBPE)), "it has no pieces"},
		{message(modelPieces, 3), "piece 0: byte 0: field 1 is no message"},
		{withPiece(pieceText, ""), "piece 9: byte "},
		{withPiece(pieceText, strings.Repeat("x", maxToken+1)), "has 4097 bytes: want 4096 at most"},
		{withPiece(pieceText, "\xff"), `"\xff" is not UTF-8`},
		{withPiece(pieceText, "x", pieceScore, math.Inf(1)), `"x" has the score +Inf`},
		{withPiece(pieceText, "x", pieceScore, 3), "its score is no float"},
		{withPiece(pieceText, "x", pieceKind, 5), `"x" is of type 5`},
		{withPiece(pieceText, "x", pieceKind, "y"), "field 3 is no number"},
		{withPiece(pieceText, "he"), `pieces 4 and 9 are both "he"`},
		{withPiece(pieceText, "<unk2>", pieceKind, 2), "tokens 0 and 9 are both the unknown token"},
		{tinyModel(modelTrainer, message(trainerType, 4)), "trainer_spec.model_type is 4 CHAR"},
		{tinyModel(modelTrainer, message(trainerSuffix, 1)), "treat_whitespace_as_suffix is true"},
		{tinyModel(modelNormalizer, message(normalizerMap, "abc")), "precompiled_charsmap: 3 bytes"},
		{tinyModel(modelNormalizer, message(normalizerMap, "\x08\x00\x00\x00abcd")), "a trie of 8 bytes in 4"},
		{tinyModel(modelNormalizer, message(normalizerMap, "\x00\x00\x00\x00\xff")), "replacements are not UTF-8"},
		{withPiece(pieceText, "<x>", pieceKind, 4), "it normalizes its text and has 1 user-defined symbols"},
	} {
		_, err := ParseModel(c.data, "d/m.model")
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: d/m.model: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q\n got %v", c.want, err)
		}
	}
}

func TestBin(t *testing.T) {
	tk, err := ParseBin(tinyBin(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode("the thé\n▁"), []int{261, 259, 264, 198, 172, 13, 229, 153, 132}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	good := tinyBin()
	change := func(at int, b ...byte) []byte {
		data := slices.Clone(good)
		copy(data[at:], b)
		return data
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "0 bytes: want a llama2.c tokenizer"},
		{change(0, 0), "its longest token has 0 bytes"},
		{change(3, 1), "want 1 to 4096"},
		{good[:10], "byte 4: the file ends inside token 0"},
		{good[:14], "byte 8: token 0 has 5 bytes, 2 are left"},
		{change(8, 9), "token 0 has 9 bytes: the longest is said to have 7"},
		{change(4, 0, 0, 0xc0, 0x7f), `token 0, "<unk>", has the score NaN`},
		{change(12, 0xff), "is not UTF-8"},
		{append(change(0), 0, 0, 0, 0, 0, 0, 0, 0), "token 266 is empty"},
		{good[:17], "1 tokens: want 3 and one for each byte"},
		{[]byte(strings.Replace(string(good), "<0x0A>", "<0x0a>", 1)), `token 13 is "<0x0a>": want the byte <0x0A>`},
		{[]byte(strings.Replace(string(good), " the", "  he", 1)), ""},
		{[]byte(strings.Replace(string(good), "\x01\x00\x00\x00 ", "\x01\x00\x00\x00h", 1)), `are both "h"`},
		{[]byte(strings.Replace(string(good), "\x01\x00\x00\x00 ", "\x01\x00\x00\x00x", 1)), "no token for a space"},
	} {
		_, err := ParseBin(c.data, "b.bin")
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: b.bin: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q\n got %v", c.want, err)
		}
	}
}

// Files by any name are told by what is in them, and a folder by what it has.
func TestLoadKinds(t *testing.T) {
	bin, model, ranks := t.TempDir(), t.TempDir(), t.TempDir()
	for _, path := range []string{
		write(t, bin, "tokenizer.bin", tinyBin()), bin, write(t, bin, "tok", tinyBin()),
		write(t, model, "tokenizer.model", tinyModel()), model, write(t, model, "m", tinyModel()),
		write(t, t.TempDir(), "spiece.model", tinyModel()), write(t, t.TempDir(), "t.config", tinyJSON(nil)),
	} {
		tk := load(t, path)
		if got := tk.Decode(tk.Encode("the the")); got != "the the" {
			t.Errorf("%s: %q", path, got)
		}
	}
	write(t, ranks, "tokenizer.model", []byte("IQ== 0\nIg== 1\nIw== 2\n"))
	if _, err := Load(ranks); err == nil || !strings.Contains(err.Error(), "tiktoken's ranks") {
		t.Error(err)
	}
}

// A broken map of characters is refused, or it maps within its bounds.
func FuzzCharsMap(f *testing.F) {
	f.Add([]byte("\x04\x00\x00\x00\x00\x04\x00\x00x\x00"), "text")
	f.Add(sampleMap(f), "Ｔｈｅ\u3000e\u0301 ﬁ")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		c, err := newCharsMap(data)
		if err != nil {
			return
		}
		if out := c.normalizer(true)(text); len(out) > (len(data)+4)*(len(text)+1) {
			t.Fatalf("%d bytes of %d", len(out), len(text))
		}
	})
}

// sampleMap is the map of a stored model.
func sampleMap(t testing.TB) []byte {
	m := spModel{}
	if err := m.read(readFile(t, filepath.Join("testdata", "unigram.model"))); err != nil || len(m.charsMap) == 0 {
		t.Fatal(err)
	}
	return m.charsMap
}

func TestCharsMap(t *testing.T) {
	c, err := newCharsMap(sampleMap(t))
	if err != nil {
		t.Fatal(err)
	}
	const text = "  Ｔｈｅ\u3000ﬁ e\u0301 e\u0302\u00a0\t \u007fx "
	for trim, want := range map[bool]string{true: "The fi \u00e9 e\u0302 x", false: "  The fi \u00e9 e\u0302   x "} {
		if got := c.normalizer(trim)(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzParseModel(f *testing.F) {
	f.Add(tinyModel())
	f.Add(tinyModel(modelNormalizer, message(normalizerTrim, 1, normalizerLead, 0)))
	f.Add(tinyModel(modelPieces, message(pieceText, "<x>", pieceKind, 4), modelNormalizer, message(normalizerTrim, 0, normalizerEscape, 0)))
	f.Add(message(modelPieces, message(pieceText, "<unk>", pieceKind, 2), modelPieces, message(pieceText, "a")))
	if data, err := os.ReadFile(filepath.Join("testdata", "bpe.model")); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tk, err := ParseModel(data, "f")
		checkPieces(t, tk, err)
	})
}

func FuzzParseBin(f *testing.F) {
	f.Add(tinyBin())
	f.Add(tinyBin()[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		tk, err := ParseBin(data, "f")
		checkPieces(t, tk, err)
	})
}

// A file is refused with its name, or it is a tokenizer that says of every text what
// it always says.
func checkPieces(t *testing.T, tk *Tokenizer, err error) {
	if err != nil {
		if !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Fatal(err)
		}
		return
	}
	const text = "the theme's 12 aaa\n<s> é漢<x>"
	ids := tk.Encode(text)
	if !slices.Equal(ids, tk.Encode(text)) {
		t.Fatal("ids differ")
	}
	for _, id := range slices.Concat(ids, tk.EncodeSpecial(text), tk.Continue(text)) {
		if _, ok := tk.Token(id); !ok {
			t.Fatalf("no token %d", id)
		}
	}
	if back := tk.Decode(ids); tk.unknown == none && tk.normalize == nil && tk.literal == nil && strings.ReplaceAll(back, mark, " ") != text {
		t.Fatalf("%q", back)
	}
}
