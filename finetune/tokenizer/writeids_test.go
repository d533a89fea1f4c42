package tokenizer

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var (
	idsTokenizer = flag.String("tokenizer", "", "tokenizer that TestWriteIDs encodes by")
	idsLines     = flag.String("lines", "", "JSON list of texts that it encodes")
	idsFile      = flag.String("ids", "", "file that it writes, a JSON list of ids for each")
)

// TestWriteIDs writes ids for .ci/interop/bundles.py, which compares them with those of
// other programs.
func TestWriteIDs(t *testing.T) {
	if *idsFile == "" {
		t.Skip("no -ids")
	}
	tk, err := Load(*idsTokenizer)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := json.Unmarshal(readFile(t, *idsLines), &lines); err != nil {
		t.Fatal(err)
	}
	ids := make([][]int, len(lines))
	for i, line := range lines {
		ids[i] = tk.Encode(line)
	}
	text, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*idsFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
