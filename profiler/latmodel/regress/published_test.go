package regress_test

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lathe/profiler/latmodel/regress"
	"lathe/profiler/stat"
	"lathe/runtime/provision/provisiontest"
)

// device is one of the published logs: architectures that were timed on a device.
func device(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(provisiontest.Shared(t, "lts/pareto_GPT2_lm1b_"+name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for k, v := range line {
			row[lines[0][k]] = v
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sum adds a column that has one number a layer.
func sum(t *testing.T, s string) (total float64) {
	t.Helper()
	for _, v := range strings.Split(s, "|") {
		total += number(t, v)
	}
	return total
}

// published are the logs' physical amounts, of a whole forward pass, by the sizes
// of the layers alone: these models' input and output are adaptive, with a
// projection of d_model x d_model.
func published(t *testing.T, logs []map[string]string) (rows []regress.Row, names []string) {
	const vocabulary = 50257 // a factor of a column, which no fit sees
	for _, row := range logs {
		n, d := number(t, row["n_layer"]), number(t, row["d_model"])
		inner, heads := sum(t, row["d_inner"]), sum(t, row["n_head"])
		rows = append(rows, regress.Row{
			Features: []float64{1, n, n * d, 4 * n * d * d, 2 * inner * d, vocabulary * d, d * d, heads, inner},
			Shape:    []float64{math.Log(n), math.Log(d), math.Log(inner / n), math.Log(heads / n)},
			Y:        number(t, row["latency_ms"]),
		})
	}
	return rows, []string{"run", "layers", "width", "attention", "feed-forward", "vocabulary", "projection", "heads", "gelu"}
}

// sevenColumns is the leave-one-out error of a linear regression on the table's own
// seven columns, weighted by 1/latency^2.
func sevenColumns(t *testing.T, logs []map[string]string) float64 {
	columns := []string{"n_layer", "d_model", "params_embedding", "params_attention", "params_ffn", "params_decoder", "memory_mb"}
	var predicted, actual []float64
	scale := make([]float64, len(columns))
	for j, c := range columns {
		for _, row := range logs {
			scale[j] = math.Max(scale[j], number(t, row[c]))
		}
	}
	for out := range logs {
		x, y := mat.NewDense(len(logs)-1, len(columns), nil), mat.NewVecDense(len(logs)-1, nil)
		at := 0
		for i, row := range logs {
			if i == out {
				continue
			}
			ms := number(t, row["latency_ms"])
			for j, c := range columns {
				x.Set(at, j, number(t, row[c])/scale[j]/ms)
			}
			y.SetVec(at, 1)
			at++
		}
		// params_decoder is nearly the sum of two others, so by singular values.
		var svd mat.SVD
		if !svd.Factorize(x, mat.SVDThin) {
			t.Fatal("no singular values")
		}
		var w mat.Dense
		svd.SolveTo(&w, y, svd.Rank(1e-12))
		p := 0.0
		for j, c := range columns {
			p += w.At(j, 0) * number(t, logs[out][c]) / scale[j]
		}
		predicted, actual = append(predicted, p), append(actual, number(t, logs[out]["latency_ms"]))
	}
	return stat.MAPE(predicted, actual)
}

// TestPublishedDevices: leave-one-out on two devices' published latencies, whose
// layers differ from each other, by the machinery of the latency model.
func TestPublishedDevices(t *testing.T) {
	for _, name := range []string{"corei7", "arm"} {
		logs := device(t, name)
		rows, names := published(t, logs)
		o := regress.Options{Names: names}
		full, err := regress.Fit(rows, o)
		if err != nil {
			t.Fatal(err)
		}
		held, err := regress.CrossValidate(rows, o, regress.Folds(len(rows), 0, nil), full)
		if err != nil {
			t.Fatal(err)
		}
		var y []float64
		for _, r := range rows {
			y = append(y, r.Y)
		}
		ours, alone, theirs := stat.MAPE(held.Predicted, y), stat.MAPE(held.Sum, y), sevenColumns(t, logs)
		t.Logf("%s, %d architectures, leave-one-out: %.2f %% (least squares alone %.2f %%; process: %v); weighted linear regression on seven columns, memory measured among them: %.2f %%",
			name, len(rows), 100*ours, 100*alone, full.Process != nil, 100*theirs)
		if ours > theirs {
			t.Errorf("%s: %.2f %%, linear regression %.2f %%", name, 100*ours, 100*theirs)
		}
	}
}
