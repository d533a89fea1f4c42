package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows is who may import whom: docs/ARCHITECTURE.md has the picture. What is
// not listed may import nothing of ours; cmd/lathe may import everything, and
// nobody imports it.
var arrows = map[string][]string{
	"graphgen/ir":                     {"graphgen/half", "graphgen/onnxpb"},
	"graphgen/weights":                {"graphgen/half", "graphgen/ir"},
	"graphgen/weights/llama2c":        {"graphgen/arch", "graphgen/weights"},
	"graphgen/hf":                     {"graphgen/arch", "graphgen/weights", "graphgen/weights/safetensors"},
	"graphgen/bundle":                 {"graphgen/arch", "graphgen/hf", "graphgen/onnxfile"},
	"graphgen/hf/hub":                 nil,
	"graphgen/hf/hub/hubtest":         nil,
	"graphgen":                        {"graphgen/arch", "graphgen/ir"},
	"graphgen/inspect":                {"graphgen", "graphgen/onnxfile", "graphgen/onnxpb", "graphgen/recover"},
	"graphgen/onnxfile":               {"graphgen/onnxpb"},
	"graphgen/evaluate":               {"graphgen/half", "graphgen/onnxpb"},
	"graphgen/recover":                {"graphgen", "graphgen/arch", "graphgen/evaluate", "graphgen/half", "graphgen/hf", "graphgen/ir", "graphgen/onnxfile", "graphgen/onnxpb", "graphgen/weights"},
	"runtime/decode":                  {"graphgen/half", "runtime/ort"},
	"profiler/record":                 {"graphgen/arch", "profiler/stat"},
	"profiler/workload":               {"profiler/record", "profiler/stat"},
	"profiler/store":                  {"profiler/record", "graphgen/arch"},
	"profiler":                        {"profiler/machine", "profiler/record", "profiler/stat", "runtime/decode"},
	"profiler/verify":                 {"graphgen/arch", "graphgen/bundle", "profiler", "profiler/record", "profiler/stat", "runtime/decode", "runtime/ort"},
	"profiler/latmodel":               {"graphgen/arch", "profiler/latmodel/regress", "profiler/record", "profiler/stat", "profiler/stat/gp"},
	"profiler/latmodel/regress":       {"profiler/stat", "profiler/stat/gp"},
	"profiler/nightly":                {"profiler/record", "profiler/stat"},
	"profiler/operators":              {"graphgen/ir", "profiler/stat", "runtime/ort"},
	"search":                          {"graphgen/arch", "search/pareto"},
	"search/enumerate":                {"search", "search/pareto", "graphgen/arch"},
	"search/evolve":                   {"search", "search/pareto", "graphgen/arch"},
	"search/modelbased":               {"search", "search/pareto"},
	"search/mcts":                     {"search", "search/mcts/surrogate", "search/pareto"},
	"search/mcts/surrogate":           {"graphgen/arch"},
	"search/searchtest/blocks":        {"graphgen/arch", "search/searchtest"},
	"search/local":                    {"search", "search/pareto"},
	"search/nsga2":                    {"search", "search/pareto"},
	"search/random":                   {"search", "search/pareto"},
	"search/searchtest":               {"graphgen/arch", "profiler/latmodel", "search", "search/pareto"},
	"reports":                         {"profiler/nightly", "profiler/record", "profiler/stat", "profiler/workload", "search/pareto", "graphgen/arch", "graphgen/inspect"},
	"reports/browsertest":             nil,
	"graphgen/onnxpb/gen":             nil,
	"graphgen/arch":                   nil,
	"graphgen/half":                   nil,
	"graphgen/onnxpb":                 nil,
	"graphgen/weights/safetensors":    nil,
	"runtime/ort":                     nil,
	"runtime/provision":               nil,
	"runtime/provision/provisiontest": {"runtime/provision"},
	"profiler/machine":                nil,
	"profiler/stat":                   nil,
	"profiler/stat/gp":                nil,
	"search/pareto":                   nil,
	"search/proxy":                    {"search", "graphgen/arch", "profiler/stat", "profiler/stat/gp"},
	"finetune/eval":                   {"profiler/stat", "runtime/decode", "runtime/ort"},
	"finetune/predictor":              {"profiler/stat", "runtime/decode"},
	"finetune/predictor/lineedit":     nil,
	"finetune/predictor/page":         nil,
	"finetune":                        {"finetune/autodiff", "graphgen", "graphgen/arch", "graphgen/ir", "graphgen/weights", "runtime/ort"},
	"finetune/autodiff":               {"graphgen/ir"},
	"finetune/inherit":                {"finetune", "graphgen", "graphgen/arch", "graphgen/ir", "graphgen/weights", "runtime/ort"},
	"finetune/train":                  {"graphgen/weights/safetensors"},
	"finetune/tokenizer":              nil,
	"finetune/teacher":                nil,
	"finetune/text":                   nil,
	"finetune/text/sample":            nil,
	"cmd/lathe":                       nil, // checked apart
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "lathe/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, "lathe/")
		seen[name] = true
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s has no arrows: add it here and to docs/ARCHITECTURE.md", name)
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, "lathe/")
			switch {
			case ours && to == "cmd/lathe":
				t.Errorf("%s imports %s; nobody may", name, to)
			case ours && name != "cmd/lathe" && !slices.Contains(allowed, to):
				t.Errorf("%s imports %s; it may import %v", name, to, allowed)
			case imp == "github.com/yalue/onnxruntime_go" && name != "runtime/ort":
				t.Errorf("%s imports the binding; only runtime/ort may", name)
			}
		}
		base := name[strings.LastIndexByte(name, '/')+1:]
		if base == "util" || base == "common" || base == "helpers" {
			t.Errorf("package %s: its name says nothing", name)
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("arrows has %s, which is no package", name)
		}
	}
}
