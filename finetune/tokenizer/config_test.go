package tokenizer

import (
	"encoding/json"
	"testing"

	"lathe/runtime/provision/provisiontest"
)

// TestFormatConfig: what a configuration says stays, but batches are padded on the left.
func TestFormatConfig(t *testing.T) {
	tk := load(t, provisiontest.Shared(t, "gpt2-bpe/encoder.json"))
	text, special, err := tk.FormatConfig([]byte(`{"padding_side":"right","model_max_length":77,"chat_template":"x","pad_token":null}`), Config{Positions: 1024})
	if err != nil {
		t.Fatal(err)
	}
	var c, s map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(special, &s); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"padding_side": "left", "model_max_length": 77.0, "chat_template": "x", "pad_token": EndOfText} {
		if c[key] != want {
			t.Errorf("%s is %v, want %v", key, c[key], want)
		}
	}
	if s["pad_token"] != EndOfText || s["eos_token"] != EndOfText {
		t.Errorf("special tokens are %v", s)
	}
}
