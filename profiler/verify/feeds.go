package verify

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"lathe/graphgen/bundle"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// names are what a loader calls a decoder's inputs and outputs; those of layers have %d
// for the layer's number.
type names struct {
	inputs, layerInputs []string
	logits              string
	layerOutputs        []string
}

// hubNames are those of transformers' exports, which Optimum and transformers.js feed
// (optimum-onnx 0.1: modeling_decoder.py; transformers.js 4.3: models.js).
var hubNames = names{
	inputs:       []string{"input_ids", "attention_mask", "position_ids"},
	layerInputs:  []string{"past_key_values.%d.key", "past_key_values.%d.value"},
	logits:       "logits",
	layerOutputs: []string{"present.%d.key", "present.%d.value"},
}

// genaiNames are those that a genai_config.json says, with genai's own where it says
// none (onnxruntime-genai 0.18: config.h).
func genaiNames(c *bundle.GenAIConfig) names {
	or := func(s, usual string) string {
		if s == "" {
			return usual
		}
		return s
	}
	n := names{
		inputs:       []string{or(c.Names.InputIDs, "input_ids"), or(c.Names.Mask, "attention_mask"), or(c.Names.Positions, "position_ids")},
		layerInputs:  []string{or(c.Names.PastKey, "past_key_values.%d.key"), or(c.Names.PastValue, "past_key_values.%d.value")},
		logits:       or(c.Names.Logits, "logits"),
		layerOutputs: []string{or(c.Names.PresentKey, "present.%d.key"), or(c.Names.PresentValue, "present.%d.value")},
	}
	if c.Type == "gpt2" { // by which genai means one tensor for keys and values
		n.layerInputs, n.layerOutputs = []string{"past_%d"}, []string{"present_%d"}
	}
	return n
}

// faults are inputs that nobody feeds, and what is missing, of a graph with so many
// layers. The first of the inputs has to be there.
func (n names) faults(d *ort.Declared, layers int) (out []string) {
	known := slices.Clone(n.inputs)
	if _, ok := d.Input(n.inputs[0]); !ok {
		out = append(out, fmt.Sprintf("the graph has no input %s", n.inputs[0]))
	}
	outputs := []string{n.logits}
	for i := range layers {
		for _, form := range n.layerInputs {
			name := layerName(form, i)
			if known = append(known, name); !has(d.Input(name)) {
				out = append(out, "the graph has no input "+name)
			}
		}
		for _, form := range n.layerOutputs {
			outputs = append(outputs, layerName(form, i))
		}
	}
	for _, in := range d.Inputs() {
		if !in.Optional && !slices.Contains(known, in.Name) {
			out = append(out, fmt.Sprintf("the graph's input %s is not fed", in.Name))
		}
	}
	for _, name := range outputs {
		if !has(d.Output(name)) {
			out = append(out, "the graph has no output "+name)
		}
	}
	return few(out)
}

func has(_ ort.ValueInfo, ok bool) bool { return ok }

// layerName puts a layer's number into a name.
func layerName(form string, i int) string {
	return strings.Replace(form, "%d", fmt.Sprint(i), 1)
}

// few keeps a message to what a line holds.
func few(faults []string) []string {
	const most = 4
	if len(faults) > most {
		faults = append(faults[:most:most], fmt.Sprintf("and %d more", len(faults)-most))
	}
	return faults
}

// checkFeeds asks whether a loader that opens the model feeds what its graph takes, and
// finds what it expects. opens is false for a model that this loader does not open.
func checkFeeds(b *bundle.Bundle, m bundle.Model, l bundle.Loader, d *ort.Declared, info decode.Info) (_ Check, opens bool) {
	name := FeedsPrefix + string(l)
	layers := len(info.Layers)
	switch l {
	case bundle.Optimum:
		return verdict(name, m.File, hubNames.faults(d, layers), ""), true
	case bundle.TransformersJS:
		if path.Dir(m.File) != "onnx" {
			return Check{}, false
		}
		n := hubNames
		n.inputs = append(slices.Clone(n.inputs), "num_logits_to_keep")
		faults := n.faults(d, layers)
		if has, want := b.Config.DataFiles(m.File), len(m.Data); has < want {
			faults = append(faults, fmt.Sprintf("transformers.js_config.use_external_data_format has %d files of external data, and it has %d: browsers fail to open it", has, want))
		}
		return verdict(name, m.File, faults, ""), true
	}
	if b.GenAI == nil || b.GenAI.Model != m.File {
		return Check{}, false
	}
	n := max(layers, b.GenAI.Layers)
	faults := genaiNames(b.GenAI).faults(d, n)
	if b.GenAI.Shared && info.Mode != decode.Shared && len(faults) == 0 {
		faults = append(faults, "past_present_share_buffer is true, and the graph does not write the present into the past's buffer")
	}
	return verdict(name, m.File, faults, ""), true
}
