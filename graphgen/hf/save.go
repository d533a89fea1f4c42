package hf

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"lathe/graphgen/arch"
	"lathe/graphgen/weights/safetensors"
)

// ErrNoConfig marks a Spec that no configuration of transformers can express.
var ErrNoConfig = errors.New("transformers has no configuration for it")

// gpt2EndOfText is what GPT2Config takes for the ids of special tokens that it is
// not told: they must not lie outside a smaller vocabulary.
const gpt2EndOfText = 50256

// FormatConfig is the config.json of a Spec. tokens are ids of special tokens, as
// [Config] has them, or nil.
func FormatConfig(s arch.Spec, tokens map[string]json.RawMessage) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	s = s.Normalized()
	if s.Family != arch.GPT2 && s.Family != arch.LLaMA {
		return nil, fmt.Errorf("hf: %s: %w: transformers has no language model of family %s; emit it as ONNX (--format onnx)", s.Name(), ErrNoConfig, s.Family)
	}
	if !s.Homogeneous() {
		return nil, fmt.Errorf("hf: %s: %w: its layers differ", s.Name(), ErrNoConfig)
	}
	var c map[string]any
	if s.Rotary() {
		c = llamaConfig(s)
	} else {
		if s.HeadDim != 0 {
			return nil, fmt.Errorf("hf: %s: %w: in gpt2, n_head %d times head_dim is d_model %d, so head_dim cannot be %d",
				s.Name(), ErrNoConfig, s.Layers[0].NHead, s.DModel, s.HeadDim)
		}
		c = gpt2Config(s)
		if s.Vocab <= gpt2EndOfText {
			c["bos_token_id"], c["eos_token_id"] = nil, nil
		}
	}
	c["torch_dtype"] = "float32"
	for key, v := range tokens {
		c[key] = v
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	return append(text, '\n'), nil
}

// Saving is a model to save.
type Saving struct {
	Spec arch.Spec
	// Tokens are ids of special tokens, as [Config] has them, or nil.
	Tokens map[string]json.RawMessage
	// Write is called for each tensor in turn, and writes its values as little-endian
	// float32, row by row.
	Write func(ctx context.Context, w io.Writer, t Tensor) error
	// Progress, if not nil, is told the bytes written.
	Progress func(done, total int64)
}

// Save writes a folder that transformers opens: config.json, and model.safetensors
// with weights in fp32. Both files are written beside their place and renamed, the
// weights first; on an error nothing is left behind. The folder has to be there.
func Save(ctx context.Context, dir string, s Saving) error {
	config, err := FormatConfig(s.Spec, s.Tokens)
	if err != nil {
		return err
	}
	want := Tensors(s.Spec)
	entries := make([]safetensors.Tensor, len(want))
	var done, total int64
	for i, t := range want {
		entries[i] = safetensors.Tensor{Name: t.Name, Type: safetensors.F32, Shape: t.Shape}
		total += entries[i].Bytes()
	}
	data, err := temporary(filepath.Join(dir, WeightsFile), func(w io.Writer) error {
		i := 0
		return safetensors.Write(w, map[string]string{"format": "pt"}, entries, func(w io.Writer, e safetensors.Tensor) error {
			err := errors.Join(ctx.Err(), s.Write(ctx, w, want[i]))
			i++
			done += e.Bytes()
			if s.Progress != nil && err == nil {
				s.Progress(done, total)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	defer os.Remove(data) // once it is renamed, there is none
	text, err := temporary(filepath.Join(dir, ConfigFile), func(w io.Writer) error {
		_, err := w.Write(config)
		return err
	})
	if err != nil {
		return err
	}
	defer os.Remove(text)
	// What is replaced goes first: a kill between the renames must not leave an old
	// configuration with new weights.
	if err := os.Remove(filepath.Join(dir, ConfigFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("hf: %w", err)
	}
	for _, r := range []struct{ from, to string }{{data, WeightsFile}, {text, ConfigFile}} {
		if err := os.Rename(r.from, filepath.Join(dir, r.to)); err != nil {
			return fmt.Errorf("hf: %w", err)
		}
	}
	return nil
}

// temporary writes a file beside its place, and returns its name.
func temporary(final string, write func(w io.Writer) error) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(final), "."+filepath.Base(final)+".*")
	if err != nil {
		return "", fmt.Errorf("hf: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return "", fmt.Errorf("hf: %s: %w", final, err)
	}
	if err := errors.Join(w.Flush(), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("hf: %s: %w", final, err)
	}
	return f.Name(), nil
}
