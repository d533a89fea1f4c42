package finetune

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lathe/graphgen/hf"
	"lathe/graphgen/weights"
)

var (
	peerFolder = flag.String("peer", "", "`FOLDER` that TestWritePeer writes trainings to, for .ci/peers/train.py")
	peerSize   = flag.String("peer.size", "", "size that TestServeSteps steps at, for .ci/peers/train.py")
	threads    = flag.Int("threads", 1, "of TestServeSteps")
)

// TestWritePeer trains models of both families, and writes all that another library
// needs to do the same, and what came of it.
func TestWritePeer(t *testing.T) {
	if *peerFolder == "" {
		t.Skip("no -peer")
	}
	for name, text := range map[string]string{
		"gpt2":  "gpt2-l3-d128-f512-h4-v1000-p64",
		"llama": "llama-l3-d128-f344-h4-kv2-v1000-p64",
	} {
		dir := filepath.Join(*peerFolder, name)
		m, err := New(t.Context(), env, StepOptions{Spec: spec(t, text), Batch: 4, Sequence: 64})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Load(t.Context(), &weights.Random{Seed: 1}); err != nil {
			t.Fatal(err)
		}
		writePeer(t, m, dir)
	}
}

// peerLog is what a training was and what it said.
type peerLog struct {
	Batch, Sequence, Micro int // tokens of a pass are Batch*Sequence, passes of a step Micro
	Optimizer              Optimizer
	Rates, Losses, Norms   []float64 // by step; losses are means over the tokens that count
}

func writePeer(t *testing.T, m *Model, dir string) {
	t.Helper()
	saved(t, m, filepath.Join(dir, "start"))
	o := m.Options()
	log := peerLog{Batch: o.Batch, Sequence: o.Sequence, Micro: 2, Optimizer: o.Optimizer}
	var all bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 1))
	for step := range 50 {
		// A rise and a fall, so that nothing stays the same.
		lr := 2e-3 * math.Sin(math.Pi*(float64(step)+0.5)/50)
		var ids, labels [][]int64
		count := 0
		for range log.Micro {
			x, y := chain(rng, o)
			for _, v := range y {
				if v != Ignored {
					count++
				}
			}
			ids, labels = append(ids, x), append(labels, y)
		}
		var loss float64
		for k := range ids {
			sum, _, err := m.Accumulate(ids[k], labels[k], 1/float32(count))
			if err != nil {
				t.Fatal(err)
			}
			loss += sum / float64(count)
			binary.Write(&all, binary.LittleEndian, ids[k])    //nolint:errcheck // memory takes all
			binary.Write(&all, binary.LittleEndian, labels[k]) //nolint:errcheck // memory takes all
		}
		norm, err := m.Apply(lr)
		if err != nil {
			t.Fatal(err)
		}
		log.Rates, log.Losses, log.Norms = append(log.Rates, lr), append(log.Losses, loss), append(log.Norms, norm)
	}
	saved(t, m, filepath.Join(dir, "end"))
	text, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"batches.bin": all.Bytes(), "log.json": text} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// chain is text that can be learnt: a token is most often a function of the one before.
// Some labels do not count.
func chain(rng *rand.Rand, o StepOptions) (ids, labels []int64) {
	vocab := int64(o.Spec.Vocab)
	for range o.Batch {
		id := rng.Int64N(vocab)
		for range o.Sequence {
			next := (7*id + 3) % vocab
			if rng.IntN(4) == 0 {
				next = rng.Int64N(vocab)
			}
			label := next
			if rng.IntN(10) == 0 {
				label = Ignored
			}
			ids, labels = append(ids, id), append(labels, label)
			id = next
		}
	}
	return ids, labels
}

// saved writes the model as a folder of transformers.
func saved(t *testing.T, m *Model, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tensors := m.Published()
	err := hf.Save(t.Context(), dir, hf.Saving{Spec: m.opts.Spec, Write: func(ctx context.Context, w io.Writer, x hf.Tensor) error {
		values := tensors[x.Name]
		if values == nil {
			return fmt.Errorf("no tensor %s", x.Name)
		}
		return weights.WriteMatrix(ctx, w, values, weights.Float32)
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestServeSteps makes as many steps as each line of its input says, and prints the
// seconds that they took; at the end the peak of its memory in MB.
func TestServeSteps(t *testing.T) {
	if *peerSize == "" {
		t.Skip("no -peer.size")
	}
	o := size(t, *peerSize)
	o.Threads = *threads
	m, err := New(t.Context(), env, o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Load(t.Context(), &weights.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	ids, labels := batch(o, 1)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int
		if _, err := fmt.Sscan(in.Text(), &n); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range n {
			if _, _, err := m.Accumulate(ids, labels, 1/float32(len(ids))); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Apply(1e-4); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println("seconds", time.Since(start).Seconds())
	}
	fmt.Println("MB", peakMB())
}
