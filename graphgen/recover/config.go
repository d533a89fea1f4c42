package recover

import (
	"io"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// configBeside is the Spec of a config.json that stands beside the file, as exporters
// leave it there, if it is of this model; nil otherwise. A file in a folder named onnx
// has it in the folder above. What it says of rotary positions is believed only as far
// as the graph does not say otherwise.
func (m *Model) configBeside(s arch.Spec) *arch.Spec {
	dir := filepath.Dir(m.Path)
	if abs, err := filepath.Abs(dir); err == nil && filepath.Base(abs) == "onnx" {
		dir = filepath.Dir(abs)
	}
	const most = 1 << 20
	path := filepath.Join(dir, hf.ConfigFile)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil
	}
	c, err := hf.ParseConfig(path, text)
	if err != nil {
		return nil
	}
	a, b := c.Spec.Normalized(), s.Normalized()
	if a.Family != b.Family || a.Vocab != b.Vocab || a.DModel != b.DModel || a.HeadDim != b.HeadDim || a.QKVBias != b.QKVBias || !slices.Equal(a.Layers, b.Layers) {
		return nil
	}
	return &a
}
