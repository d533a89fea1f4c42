package finetune

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/ir"
)

var stepsFolder = flag.String("steps", "", "`FOLDER` that TestWriteSteps writes graphs of steps to, for .ci/check_steps.py")

// fed is a tensor for other tools.
type fed struct {
	Type  ir.DType
	Shape []int64
	Data  []float64
}

// TestWriteSteps writes the graphs of a step in each type, as a GPU is given them, with
// what to feed them, and the losses and gradients that came out here, on the CPU.
func TestWriteSteps(t *testing.T) {
	if *stepsFolder == "" {
		t.Skip("no -steps folder given: this only writes files for other tools")
	}
	for _, name := range []string{"gpt2", "llama-shared", "lstm", "gru", "mixed"} {
		for _, compute := range Computes {
			m := made(t, StepOptions{Spec: spec(t, small[name]), Batch: 2, Sequence: 6, Parts: 1, Compute: compute})
			ids, labels := batch(m.opts, 1)
			if _, _, err := m.Accumulate(ids, labels, 0.1); err != nil {
				t.Fatal(err)
			}
			st, err := gradientGraph(m.opts)
			if err != nil {
				t.Fatal(err)
			}
			out := map[string][]float64{outLosses: wide(m.Losses())}
			for i, g := range m.Gradients() {
				if st.added[i] {
					out[accumulated(g.Param)] = wide(g.Values)
				}
			}
			model, err := ir.Encode(st.graph, inline{t, m.Source()})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(map[string]any{"inputs": m.feed(st, ids, labels), "outputs": out})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(*stepsFolder, name+"-"+string(compute))
			if err := os.WriteFile(path+".onnx", model, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".json", text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// feed is what a step's graph is fed for gradients of 0.1 times the losses of a batch.
func (m *Model) feed(st *step, ids, labels []int64) map[string]fed {
	in := map[string]fed{}
	for _, v := range st.graph.Inputs {
		n, _ := v.Shape.Elements()
		f := fed{v.Type, dims(v.Shape), make([]float64, n)}
		for i := range f.Data {
			switch v.Name {
			case graphgen.InputIDs:
				f.Data[i] = float64(ids[i])
			case inLabels:
				f.Data[i] = float64(max(labels[i], 0))
			case inWeights:
				if labels[i] != Ignored {
					f.Data[i] = float64(float32(0.1) * float32(m.scale()))
				}
			}
		}
		in[v.Name] = f
	}
	return in
}
