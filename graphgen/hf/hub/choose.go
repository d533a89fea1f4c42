package hub

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Names of files in a model's folder.
const (
	configFile  = "config.json"
	weightsFile = "model.safetensors"
	indexFile   = "model.safetensors.index.json"
)

// tokenizerFiles are taken where the model has them.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "generation_config.json",
}

// shardName is what transformers calls a part of the weights.
var shardName = regexp.MustCompile(`^model-[0-9]{5}-of-[0-9]{5}\.safetensors$`)

// choose says which of a repository's files make the model's folder, in the order in
// which they are fetched: small ones first. The weights are one file if there is one,
// as package hf reads them.
func choose(r Reference, names []string) (wanted []string, err error) {
	has := func(name string) bool { return slices.Contains(names, name) }
	if !has(configFile) {
		return nil, fmt.Errorf("hub: %s has no %s: it is no model of transformers%s", r, configFile, listed(names))
	}
	wanted = []string{configFile}
	for _, name := range tokenizerFiles {
		if has(name) {
			wanted = append(wanted, name)
		}
	}
	if has(weightsFile) {
		return append(wanted, weightsFile), nil
	}
	if !has(indexFile) {
		return nil, fmt.Errorf("hub: %s has neither %s nor %s: weights in other formats are not read; convert them, or choose a revision that has them%s",
			r, weightsFile, indexFile, listed(names))
	}
	wanted = append(wanted, indexFile)
	parts := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !shardName.MatchString(name) })
	slices.Sort(parts)
	return append(wanted, parts...), nil
}

// listed shows what a repository has instead.
func listed(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf(" (it has %s and %d more)", strings.Join(names[:most], ", "), len(names)-most)
	}
	return fmt.Sprintf(" (it has %s)", strings.Join(names, ", "))
}

// complete reports whether dir has the files, and all that the index of weights in
// several files names.
func complete(dir string, wanted []string) bool {
	for _, name := range wanted {
		if !exists(filepath.Join(dir, filepath.FromSlash(name))) {
			return false
		}
	}
	if !slices.Contains(wanted, indexFile) {
		return true
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	text, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil || json.Unmarshal(text, &index) != nil {
		return false
	}
	for _, name := range index.WeightMap {
		if !slices.Contains(wanted, name) {
			return false
		}
	}
	return true
}
