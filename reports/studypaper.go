package reports

import "io"

// The paper's own tables, "Can Neural Architecture Search Help us Find Faster LLM
// Architectures? Experiments with GPT-2 based Text Predictor", as it prints them.

// paperTable1 writes its Table 1: latencies in milliseconds.
func paperTable1(w io.Writer, style Style) error {
	t := table{columns: []column{{"model", true}, {"d_inner", false}, {"d_model", false}, {"n_head", false}, {"n_layer", false}, {"prompt ms", false}, {"change", false}, {"token ms", false}, {"change", false}, {"decoder", false}, {"total", false}}}
	t.add("baseline", "4096", "1024", "16", "12", "47.58", "", "11.78", "", "151M", "204M")
	t.add("C1", "1664", "1984", "4", "7", "47.15", "-0.90 %", "7.61", "-35.40 %", "156M", "260M")
	t.add("C2", "3712", "1856", "4", "6", "46.62", "-2.02 %", "6.58", "-44.14 %", "165M", "262M")
	t.add("C3", "6016", "1280", "4", "7", "41.16", "-13.16 %", "7.28", "-40.32 %", "153M", "220M")
	return t.write(w, style)
}

// paperTable2 writes its Table 2, LAMBADA after pretraining.
func paperTable2(w io.Writer, style Style) error {
	t := table{columns: []column{{"model", true}, {"LAMBADA perplexity", false}, {"accuracy", false}, {"prompt ms", false}, {"token ms", false}}}
	for _, r := range [][]string{
		{"baseline", "15.77", "43.63 %", "47.58", "11.78"}, {"C1", "21.86", "38.35 %", "47.15", "7.61"}, {"C2", "19.61", "40.52 %", "46.62", "6.58"},
		{"C3-h4", "19.27", "40.58 %", "41.16", "7.28"}, {"C3-h8", "17.05", "42.31 %", "41.76", "7.31"}, {"C3-h16", "15.83", "44.38 %", "44.85", "7.56"},
	} {
		t.add(r...)
	}
	return t.write(w, style)
}

// paperTable3 are its Table 3's figures by measure: the baseline's, C3-h16's, the change.
var paperTable3 = map[string][3]string{
	"ASC": {"11.18", "11.44", ""}, "AEC": {"2.18", "1.94", ""}, "P95 latency_char, ms": {"1.62", "1.24", "-23.46 %"},
}
