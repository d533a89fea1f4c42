package train

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// state is one of n parameters.
func state(n int) State {
	of := func(v float32) []Tensor {
		vals := make([]float32, n)
		for i := range vals {
			vals[i] = v * float32(i)
		}
		return []Tensor{{"w", []int64{int64(n)}, vals}}
	}
	return State{Parameters: of(1), First: of(2), Second: of(3)}
}

// What is written is read, whatever the position and the values: to the bit.
func TestCheckpointRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		c := checkpoints{dir, map[string]string{"model": rapid.String().Draw(t, "model")}}
		s := state(rapid.IntRange(1, 50).Draw(t, "n"))
		for i := range s.Second[0].Values {
			s.Second[0].Values[i] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		}
		p := Position{
			Step: rapid.IntRange(0, 1e9).Draw(t, "step"), Tokens: rapid.Int64().Draw(t, "tokens"),
			Scaling: Scaling{rapid.Float64Range(0, 1e9).Draw(t, "scale"), rapid.IntRange(0, 9).Draw(t, "good"), rapid.IntRange(0, 9).Draw(t, "skipped"), rapid.IntRange(0, 9).Draw(t, "row")},
			DevLoss: rapid.Float64().Draw(t, "loss"), BestLoss: rapid.Float64().Draw(t, "best"), Looked: rapid.IntRange(-1, 9).Draw(t, "looked"),
		}
		if math.IsNaN(p.DevLoss) || math.IsInf(p.DevLoss, 0) || math.IsNaN(p.BestLoss) || math.IsInf(p.BestLoss, 0) {
			t.Skip()
		}
		folder, err := c.write(s, p, Schedule{Shape: Cosine, Peak: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		back := state(len(s.First[0].Values))
		got, err := c.read(p.Step, back, back.parts())
		if err != nil {
			t.Fatal(err)
		}
		if got != p {
			t.Errorf("%+v, want %+v", got, p)
		}
		for i, part := range back.parts() {
			if !bytes.Equal(memory(part.tensors[0].Values), memory(s.parts()[i].tensors[0].Values)) {
				t.Errorf("%s is another", part.file)
			}
		}
	})
}

// A checkpoint takes no second copy of the model.
func TestCheckpointStreams(t *testing.T) {
	s := state(4 << 20) // 48 MB
	c := checkpoints{dir: t.TempDir()}
	allocated := func(what func() error) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := what(); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	wrote := allocated(func() error { _, err := c.write(s, Position{Step: 1}, Schedule{}); return err })
	read := allocated(func() error { _, err := c.read(1, s, s.parts()); return err })
	if wrote > 8<<20 || read > 8<<20 {
		t.Errorf("%d bytes were allocated to write 48 MB, %d to read them", wrote, read)
	}
}

func FuzzManifest(f *testing.F) {
	text, err := manifest{Format: manifestFormat, Of: map[string]string{"model": "m"}, Files: map[string]sum{parametersFile: {1, "x"}}}.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":1,"files":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m manifest
		if parseManifest(text, &m) != nil {
			return
		}
		again, err := m.text()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q was taken, and is written as %q, %v", text, again, err)
		}
	})
}

func FuzzReadLog(f *testing.F) {
	f.Add([]byte(`{"step":1,"loss":2.5,"lr":0.1,"grad_norm":1,"tokens":9,"seconds":0.1}` + "\n" + `{"step":1,"dev_loss":2}` + "\n" + `{"st`))
	f.Add([]byte("\n"))
	f.Add([]byte(strings.Repeat("x", maxLine+1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := ReadLog(bytes.NewReader(text), "log")
		if err != nil {
			return
		}
		var again bytes.Buffer
		for _, e := range entries {
			if err := json.NewEncoder(&again).Encode(e); err != nil {
				t.Fatal(err)
			}
		}
		back, err := ReadLog(&again, "log")
		if err != nil || !reflect.DeepEqual(back, entries) {
			t.Errorf("%+v, then %+v, %v", entries, back, err)
		}
	})
}

// A line that could not be written whole is written over, and none is lost.
func TestLogWritesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	l, err := openLog(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	whole := l.f
	if l.f, err = os.Open(path); err != nil { // to be read only
		t.Fatal(err)
	}
	for step := range 3 {
		if l.add(Entry{Step: step}) == nil {
			t.Error("it was written to a file that cannot be written to")
		}
	}
	l.f.Close()
	l.f = whole
	if _, err := whole.WriteString(`{"step":0,"los`); err != nil {
		t.Fatal(err)
	}
	if err := l.add(Entry{Step: 3}); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ReadLog(bytes.NewReader(text), path)
	if err != nil || len(entries) != 4 || entries[3].Step != 3 || int64(len(text)) != l.size {
		t.Errorf("%q, %v", text, err)
	}
}
