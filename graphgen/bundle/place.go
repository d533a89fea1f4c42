package bundle

import (
	"fmt"
	"path"
	"slices"
)

// Names of a bundle's files.
const (
	ConfigFile        = "config.json"
	GenerationFile    = "generation_config.json"
	GenAIFile         = "genai_config.json"
	ReadmeFile        = "README.md"
	ManifestFile      = "lathe.json"
	TokenizerFile     = "tokenizer.json"
	TokenizerConfig   = "tokenizer_config.json"
	SpecialTokensFile = "special_tokens_map.json"

	modelStem  = "model"
	modelEnd   = ".onnx"
	dataEnd    = "_data"     // behind a model's name: the file with its weights
	jsFolder   = "onnx"      // where transformers.js looks for models
	optimized  = "optimized" // where graphs are that are made for one processor
	optimizedS = ".optimized"
)

// DataFile is the name of the file that a model's weights are in.
func DataFile(model string) string { return model + dataEnd }

// Place is where in a folder for those loaders the model of a precision is, among
// models in all of dtypes. With transformers.js it is named by its precision, in
// onnx/, where Optimum and genai find it too. Without, the first of several is
// model.onnx, which Optimum opens if it is not told another.
func Place(loaders []Loader, dtypes []DType, d DType) string {
	name := modelStem + d.Suffix() + modelEnd
	if slices.Contains(loaders, TransformersJS) {
		return path.Join(jsFolder, name)
	}
	if len(dtypes) > 0 && dtypes[0] == d {
		return modelStem + modelEnd
	}
	return name
}

// PlaceOptimized is where the optimized form of a model is: where no loader looks for
// models, since it is made for one processor.
func PlaceOptimized(model string) string {
	stem := path.Base(model)
	return path.Join(optimized, stem[:len(stem)-len(modelEnd)]+optimizedS+modelEnd)
}

// CheckPlaces reports what of several precisions, or of an optimized graph, a folder
// for those loaders cannot hold.
func CheckPlaces(loaders []Loader, dtypes []DType, withOptimized bool) error {
	switch {
	case len(loaders) == 0:
		return fmt.Errorf("bundle: no loader is named: known are %s", listed(Loaders))
	case len(dtypes) == 0:
		return fmt.Errorf("bundle: no precision is named: known are %s", joinDTypes())
	case len(dtypes) > 1 && slices.Contains(loaders, GenAI):
		return fmt.Errorf("bundle: %d precisions, and genai takes one in a folder: export a folder for each", len(dtypes))
	case withOptimized && slices.Contains(loaders, Optimum) && path.Base(Place(loaders, dtypes, dtypes[0])) != modelStem+modelEnd:
		// Optimum takes model.onnx wherever it is, and where there is none any .onnx file.
		return fmt.Errorf("bundle: an optimized graph beside %s, and no model.onnx: optimum might open the wrong one; add fp32, or leave transformers.js to a folder of its own", Place(loaders, dtypes, dtypes[0]))
	}
	return nil
}
