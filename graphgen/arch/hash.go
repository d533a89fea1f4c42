package arch

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
)

// The canonical encodings below are one line a fact, in a fixed order, after a
// line that says what is encoded. Defaults are filled in first, so that two
// values that mean the same have one hash. Changing an encoding changes every
// stored hash: a later family adds lines of its own and leaves these alone.

// Hash returns the hex SHA-256 of the model's content.
func (s Spec) Hash() string {
	s = s.Normalized()
	b := []byte("lathe spec 1\n")
	b = appendText(b, "family", string(s.Family))
	b = appendInt(b, "vocab", s.Vocab)
	b = appendInt(b, "positions", s.Positions)
	b = appendInt(b, "d_model", s.DModel)
	b = strconv.AppendBool(append(b, "untied "...), s.Untied)
	b = append(b, '\n')
	b = s.appendSettings(b)
	for i, l := range s.Layers {
		b = appendText(b, "layer", string(l.Type))
		if l.Type.Recurrent() {
			b = appendInt(b, "hidden", s.HiddenOf(i))
			continue
		}
		b = appendInt(b, "n_head", l.NHead)
		if l.NKVHead != 0 {
			b = appendInt(b, "n_kv_head", l.NKVHead)
		}
		b = appendInt(b, "head_dim", s.HeadDimOf(i))
		b = appendInt(b, "d_inner", l.DInner)
	}
	return digest(b)
}

// appendSettings adds a line for whatever is not the default in s, which is
// normalized. There are none for most models, whose hashes were stored before there
// were such settings.
func (s Spec) appendSettings(b []byte) []byte {
	if s.NormEps != 0 {
		b = appendFloat(b, "norm_eps", s.NormEps)
	}
	if s.RopeBase != 0 {
		b = appendFloat(b, "rope_base", s.RopeBase)
	}
	if r := s.RopeScaling; r != nil {
		b = appendText(b, "rope_scaling", r.Type)
		b = appendFloat(b, "factor", r.Factor)
		b = appendFloat(b, "low_freq_factor", r.LowFreqFactor)
		b = appendFloat(b, "high_freq_factor", r.HighFreqFactor)
		b = appendInt(b, "original_positions", r.OriginalPositions)
	}
	if s.QKVBias {
		b = append(b, "qkv_bias\n"...)
	}
	return b
}

// Hash returns the hex SHA-256 of the way of running.
func (b Build) Hash() string {
	b = b.Normalized()
	e := []byte("lathe build 1\n")
	e = appendText(e, "dialect", string(b.Dialect))
	e = appendText(e, "precision", b.NameOf(b.Precision))
	e = appendText(e, "head", b.NameOf(b.Head))
	if b.Embed != (Precision{}) {
		e = appendText(e, "embed", b.NameOf(b.Embed))
	}
	if b.Float != FP32 {
		e = appendText(e, "float", string(b.Float))
	}
	e = appendInt(e, "threads", b.Threads)
	e = appendText(e, "provider", b.Provider.Name)
	for _, k := range slices.Sorted(maps.Keys(b.Provider.Options)) {
		e = appendText(e, "option", k)
		e = appendText(e, "value", b.Provider.Options[k])
	}
	return digest(e)
}

// Hash returns the hex SHA-256 of the model and the way of running.
func (c Candidate) Hash() string {
	return digest([]byte("lathe candidate 1\nspec " + c.Spec.Hash() + "\nbuild " + c.Build.For(c.Spec).Hash() + "\n"))
}

func appendInt(b []byte, key string, v int) []byte {
	b = append(append(b, key...), ' ')
	return append(strconv.AppendInt(b, int64(v), 10), '\n')
}

func appendFloat(b []byte, key string, v float64) []byte {
	b = append(append(b, key...), ' ')
	return append(strconv.AppendFloat(b, v, 'g', -1, 64), '\n')
}

func appendText(b []byte, key, v string) []byte {
	b = append(append(b, key...), ' ')
	return append(strconv.AppendQuote(b, v), '\n')
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
