package bundle

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// WriteReadme writes README.md, a model card: what the model is, what was measured of
// it, how to open it. The head between dashes is what Hugging Face's hub reads.
func WriteReadme(dir string, m *Manifest, title string) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("---")
	if m.License != "" {
		line("license: %s", strconv.Quote(m.License))
	}
	line("pipeline_tag: text-generation")
	if slices.Contains(m.Loaders, TransformersJS) {
		line("library_name: transformers.js")
	}
	line("tags:\n- onnx\n---\n")
	line("# %s\n", oneLine(title))
	line("A text predictor, `%s`: %s parameters, %s of them in the decoder, a vocabulary of", m.Name, millions(m.Spec.TotalParams()), millions(m.Spec.DecoderParams()))
	line("%d tokens, contexts of up to %d. Made by Lathe", m.Spec.Vocab, m.Spec.Positions)
	if m.Source != "" {
		line("from the weights of `%s`", oneLine(m.Source))
	}
	line("(weights `%.16s`).\n", m.WeightsHash)
	if m.License == "" {
		line("No license was given for it.\n")
	}
	line("## Models\n\n| file | precision | as lowered | ONNX Runtime | weights' relative error |\n|---|---|---|---|---|")
	for _, e := range m.Models {
		dtype, library, lost := string(e.DType), e.Library+" or later", ""
		if e.Optimized != "" {
			dtype, library = dtype+", optimized for "+e.Processor, e.MadeBy+" only"
		}
		if e.MeanRelErr > 0 {
			lost = fmt.Sprintf("%.2g %%", 100*e.MeanRelErr)
		}
		line("| `%s` | %s | `%s` | %s | %s |", e.File, cell(dtype), cell(e.Candidate), cell(library), lost)
	}
	line("")
	writeFigures(&b, m.Figures)
	if s := m.Space; s != nil {
		line("## How it was found\n\n%s\n", oneLine(s.Description))
	}
	if t := m.Thresholds; t != nil {
		line("## Thresholds\n")
		for _, x := range []struct {
			v    *float64
			what string
		}{{t.Show, "A suggestion is shown if its log-probability is at least"}, {t.Stop, "It ends before a token whose log-probability is below"}} {
			if x.v != nil {
				line("%s %.6g.\n", x.what, *x.v)
			}
		}
	}
	line("## Opening it\n")
	for _, l := range m.Loaders {
		line("%s\n", howTo(l, m))
	}
	if len(m.Notes) > 0 {
		line("## Notes\n")
		for _, n := range m.Notes {
			line("- %s", oneLine(n))
		}
		line("")
	}
	line("`%s` has the checksums of all files, and this in a form for programs.", ManifestFile)
	return write(dir, ReadmeFile, []byte(b.String()))
}

func writeFigures(b *strings.Builder, all []Figure) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(b, "## Measured\n\n| file | figure | value | 95 % interval | conditions |\n|---|---|---|---|---|\n")
	for _, f := range all {
		interval := ""
		if f.CI != nil {
			interval = fmt.Sprintf("%.5g to %.5g", f.CI[0], f.CI[1])
		}
		var conditions []string
		for _, k := range slices.Sorted(maps.Keys(f.Conditions)) {
			conditions = append(conditions, strings.ReplaceAll(k, "_", " ")+" "+f.Conditions[k])
		}
		fmt.Fprintf(b, "| `%s` | %s | %.5g | %s | %s |\n", f.File, cell(strings.ReplaceAll(f.Name, "_", " ")), f.Value, interval, cell(strings.Join(conditions, ", ")))
	}
	fmt.Fprintln(b)
}

// howTo is how a loader opens the folder.
func howTo(l Loader, m *Manifest) string {
	first := m.Models[0].File
	switch l {
	case Optimum:
		args := ""
		if filepath.Base(first) != modelStem+modelEnd {
			args = fmt.Sprintf(", file_name=%q", filepath.Base(first))
		}
		return "With Optimum:\n\n```python\nfrom optimum.onnxruntime import ORTModelForCausalLM\nfrom transformers import AutoTokenizer\n" +
			"tokenizer = AutoTokenizer.from_pretrained(\"FOLDER\")\n" +
			"model = ORTModelForCausalLM.from_pretrained(\"FOLDER\"" + args + ")\n" +
			"out = model.generate(**tokenizer(\"TEXT\", return_tensors=\"pt\"), max_new_tokens=16)\n" +
			"print(tokenizer.decode(out[0]))\n```"
	case TransformersJS:
		return "With transformers.js:\n\n```js\nimport { env, pipeline } from '@huggingface/transformers';\nenv.localModelPath = 'PARENT/';\n" +
			fmt.Sprintf("const generate = await pipeline('text-generation', 'FOLDER', { dtype: '%s' });\n", m.Models[0].DType) +
			"console.log(await generate('TEXT', { max_new_tokens: 16 }));\n```"
	}
	begin := ""
	if m.Begins {
		begin = "tokenizer.update_options(add_special_tokens=\"true\")  # the token that begins every text\n"
	}
	return "With onnxruntime-genai:\n\n```python\nimport onnxruntime_genai as og\nmodel = og.Model(\"FOLDER\")\ntokenizer = og.Tokenizer(model)\n" + begin +
		"params = og.GeneratorParams(model)\nparams.set_search_options(max_length=64)\n" +
		"generator = og.Generator(model, params)\ngenerator.append_tokens(tokenizer.encode(\"TEXT\"))\n" +
		"while not generator.is_done():\n    generator.generate_next_token()\nprint(tokenizer.decode(generator.get_sequence(0)))\n```"
}

// millions is n as 151.0 million, or as it is below one.
func millions(n int64) string {
	if n < 1e6 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%.1f million", float64(n)/1e6)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cell is text for a table.
func cell(s string) string { return strings.ReplaceAll(oneLine(s), "|", `\|`) }
