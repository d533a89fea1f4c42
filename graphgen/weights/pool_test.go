package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"lathe/graphgen/ir"
)

// toy is a graph with one quantized and two float matrices and a bias.
func toy(t *testing.T) *ir.Graph {
	t.Helper()
	b := ir.NewBuilder("toy")
	x := b.Input("x", ir.Float, ir.S("n"), ir.D(48))
	w := b.QuantParam("q.weight", ir.Init{Kind: ir.Normal, Std: 0.02}, ir.Quant{Weight: "q.weight", K: 48, N: 40, Block: 32, Bits: 4})
	bias := b.Param("q.bias", ir.Float, ir.Init{}, 40)
	x = b.MatMulNBits(x, w, bias, 4)
	x = b.MatMul(x, b.Param("w1", ir.Float, ir.Init{Kind: ir.Normal, Std: 0.02}, 40, 30))
	x = b.MatMul(x, b.Param("w2", ir.Float, ir.Init{Kind: ir.Normal, Std: 0.02}, 30, 20))
	b.Output("y", x)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPoolIsDisjointFiniteAndNotDenormal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	g := toy(t)
	p, err := OpenPool(context.Background(), t.TempDir(), NeedOf(g), nil)
	if err != nil {
		t.Fatal(err)
	}
	type span struct{ from, to int64 }
	spans := map[string][]span{}
	placer := p.Placer()
	for _, param := range g.Params {
		pl, err := placer.Place(param)
		if err != nil {
			t.Fatal(err)
		}
		if pl.Location == "" {
			continue
		}
		if pl.Offset%Align != 0 {
			t.Errorf("%s is at %d, not aligned to %d", param.Name, pl.Offset, Align)
		}
		if st, err := os.Stat(filepath.Join(p.Dir(), pl.Location)); err != nil || st.Size() < pl.Offset+param.Bytes() {
			t.Errorf("%s ends at %d, beyond %s: %v", param.Name, pl.Offset+param.Bytes(), pl.Location, err)
		}
		spans[pl.Location] = append(spans[pl.Location], span{pl.Offset, pl.Offset + param.Bytes()})
	}
	for file, s := range spans {
		sort.Slice(s, func(i, j int) bool { return s[i].from < s[j].from })
		for i := 1; i < len(s); i++ {
			if s[i].from < s[i-1].to {
				t.Errorf("%s: %v overlaps %v", file, s[i], s[i-1])
			}
		}
	}
	for _, kind := range []poolKind{floats, scales} {
		b, err := os.ReadFile(p.path(kind))
		if err != nil {
			t.Fatal(err)
		}
		var sum, squares float64
		for i := 0; i < len(b); i += 4 {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
			if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) < tiny {
				t.Fatalf("%s holds %g at byte %d", p.path(kind), v, i)
			}
			sum += v
			squares += v * v
		}
		n := float64(len(b) / 4)
		if rms := math.Sqrt(squares / n); kind == floats && (math.Abs(sum/n) > 1e-4 || math.Abs(rms-poolStd) > 1e-4) {
			t.Errorf("floats have mean %g and deviation %g, want 0 and %g", sum/n, rms, poolStd)
		}
	}
}

func TestPoolGrowsToTheSameBytes(t *testing.T) {
	ctx := context.Background()
	once, twice := t.TempDir(), t.TempDir()
	const big = 2*poolBlock*poolRound - 5
	need := func(n int64) Need { return Need{nibbles: n} }
	for _, step := range []struct {
		dir  string
		need int64
	}{{once, big}, {twice, 1}, {twice, big}} {
		if _, err := OpenPool(ctx, step.dir, need(step.need), nil); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(filepath.Join(once, nibbles.file()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(twice, nibbles.file()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("a pool made at once and one that grew differ")
	}
}

func TestPoolDamage(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	need := Need{scales: 3 * poolBlock}
	p, err := OpenPool(ctx, dir, need, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := p.path(scales)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	// Cut short, as by a kill or a full disk: it goes on from the last whole block.
	if err := os.Truncate(path, 2*poolBlock+77); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPool(ctx, dir, need, nil); err != nil {
		t.Fatalf("after a cut: %v", err)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, whole) {
		t.Error("a pool that was cut short was not made whole")
	}

	// Overwritten: refused, with the way out.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 100), poolBlock+5000)
	f.Close()
	_, err = OpenPool(ctx, dir, need, nil)
	if !errors.Is(err, ErrCorruptPool) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a corrupt pool gave: %v", err)
	}
}

func TestPoolCancelledKeepsWholeBlocks(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := OpenPool(ctx, dir, Need{nibbles: poolBlock * poolRound * 4}, func(done, total int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want a cancelled error", err)
	}
	st, err := os.Stat(filepath.Join(dir, nibbles.file()))
	if err != nil || st.Size() == 0 || st.Size()%poolBlock != 0 {
		t.Fatalf("left %v, %v; want some whole blocks", st, err)
	}
	if _, err := OpenPool(context.Background(), dir, Need{nibbles: poolBlock}, nil); err != nil {
		t.Fatal(err)
	}
}

// A process that dies while a file grows leaves blocks that no manifest knows.
func TestPoolForgetsWhatAKillLeft(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	need := Need{scales: poolBlock}
	p, err := OpenPool(ctx, dir, need, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := p.path(scales)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(make([]byte, 3*poolBlock+9)) // zeros would flatter the timings
	f.Close()
	if _, err := OpenPool(ctx, dir, Need{scales: int64(len(whole)) + 1}, nil); err != nil {
		t.Fatal(err)
	}
	grown, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, poolBlock)
	poolKind(scales).fill(want, int64(len(whole)/poolBlock))
	if !bytes.Equal(grown[:len(whole)], whole) || !bytes.Equal(grown[len(whole):len(whole)+poolBlock], want) {
		t.Error("what a kill left was taken for the pool's")
	}

	// A file without its manifest is made again.
	if err := os.Remove(manifestPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPool(ctx, dir, need, nil); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, whole) {
		t.Error("a pool without a manifest was not made anew")
	}

	if err := os.WriteFile(manifestPath(path), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPool(ctx, dir, need, nil); !errors.Is(err, ErrCorruptPool) {
		t.Errorf("a corrupt manifest gave %v", err)
	}
}
