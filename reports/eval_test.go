package reports

import (
	"bytes"
	"testing"

	"lathe/profiler/stat"
)

func TestEvalTables(t *testing.T) {
	top1, better := 0.412, 1.0131
	rows := []PerplexityRow{
		{Model: "llama-l5+fused", Perplexity: 3.9166, PerplexityCI: &stat.Interval{Low: 3.85, High: 3.98}, BitsPerByte: 0.9124, BitsPerChar: 0.915, Top1: &top1, Tokens: 123456, Seconds: 12.34},
		{Model: "llama-l5+fused+int4b32", Perplexity: 1234.5, Ratio: &better, RatioCI: &stat.Interval{Low: 1.0119, High: 1.0142}, Tokens: 9},
	}
	var out bytes.Buffer
	if err := PerplexityTable(&out, Text, rows, []string{"Windows of 512 tokens."}); err != nil {
		t.Fatal(err)
	}
	want := `model                             perplexity                to the first  bits a byte  bits a character  likeliest   tokens  seconds  tokens/s
------------------------------------------------------------------------------------------------------------------------------------------------
llama-l5+fused          3.917 [3.850, 3.980]                                    0.912             0.915     41.2 %  123,456     12.3    10,005
llama-l5+fused+int4b32             1,235 [-]  +1.31 % [+1.19 %, +1.42 %]            -                 -          -        9      0.0         -

Windows of 512 tokens.
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	if err := PerplexityTable(&out, Markdown, rows[:1], nil); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte("to the first")) {
		t.Errorf("one model is compared:\n%s", out.String())
	}
	out.Reset()
	err := LastWordTable(&out, Text, []LastWordRow{{Model: "m", Accuracy: 0.4651, AccuracyCI: &stat.Interval{Low: 0.45, High: 0.48}, Perplexity: 35.13, TokenPerplexity: 2e9, Passages: 5153, Seconds: 61}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want = `model         last words right  perplexity of the word  of its tokens  passages  seconds
------------------------------------------------------------------------------------------
m      46.5 % [45.0 %, 48.0 %]               35.13 [-]          2e+09     5,153     61.0
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if PerplexityTable(&out, Text, nil, nil) == nil || LastWordTable(&out, Text, nil, nil) == nil {
		t.Error("tables of nothing")
	}
}
