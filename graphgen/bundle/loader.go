package bundle

import (
	"fmt"
	"slices"
	"strings"
)

// Loader is a program that opens bundles.
type Loader string

// The loaders.
const (
	Optimum        Loader = "optimum"         // ORTModelForCausalLM of optimum-onnx
	TransformersJS Loader = "transformers.js" // pipeline("text-generation") of @huggingface/transformers
	GenAI          Loader = "genai"           // onnxruntime-genai
)

// Loaders are all of them, in the order in which they are listed.
var Loaders = []Loader{Optimum, TransformersJS, GenAI}

// ParseLoaders reads a list such as optimum,genai: of one or more, in our order, each
// once.
func ParseLoaders(text string) ([]Loader, error) {
	given := map[Loader]bool{}
	for name := range strings.SplitSeq(text, ",") {
		l := Loader(strings.TrimSpace(name))
		if !slices.Contains(Loaders, l) {
			return nil, fmt.Errorf("bundle: unknown loader %q: known are %s", l, listed(Loaders))
		}
		given[l] = true
	}
	var out []Loader
	for _, l := range Loaders {
		if given[l] {
			out = append(out, l)
		}
	}
	return out, nil
}

// listed is "optimum, genai".
func listed(loaders []Loader) string {
	names := make([]string, len(loaders))
	for i, l := range loaders {
		names[i] = string(l)
	}
	return strings.Join(names, ", ")
}
