package nsga2

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lathe/search"
	"lathe/search/searchtest"
)

const (
	truthSeeds = 20
	truthNoise = 0.02
)

func truth(seed uint64) *searchtest.Truth {
	return searchtest.Paper(searchtest.Options{Seed: seed, Field: searchtest.Residual})
}

// BenchmarkTruths prints what is beside pymoo's in docs/BENCHMARKS.md: the share of the
// exact front's hypervolume that the front of what was measured has by what is true of
// it, by evaluations, population and distribution index.
func BenchmarkTruths(b *testing.B) {
	for _, o := range []Options{
		{Population: 10, Index: paperEta}, {Population: 20, Index: paperEta}, {Population: 40, Index: paperEta},
		{Population: 10}, {}, {Population: 20},
	} {
		b.Run(method(b, o).Name(), func(b *testing.B) {
			for b.Loop() {
				shares := map[int][]float64{60: nil, 300: nil, 1200: nil}
				for seed := range uint64(truthSeeds) {
					t := truth(seed)
					d := search.Driver{Problem: t.Problem, Method: method(b, o), Evaluator: t.Evaluator(truthNoise, seed), Settings: search.Settings{Seed: seed, MaxEvaluations: 1200}}
					res, err := d.Run(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					for n := range shares {
						shares[n] = append(shares[n], t.Share(searchtest.Genomes(search.Front(t.Problem, res.Evaluations[:n]))))
					}
				}
				for n, got := range shares {
					slices.Sort(got)
					b.ReportMetric(100*(got[truthSeeds/2-1]+got[truthSeeds/2])/2, fmt.Sprintf("%%@%d", n))
					b.ReportMetric(100*got[0], fmt.Sprintf("least%%@%d", n))
				}
			}
		})
	}
}

var truthsFolder = flag.String("truths", "", "`FOLDER` that TestWriteTruths writes tables to, for .ci/peers/pymoo.py")

// TestWriteTruths writes each truth as little-endian float64: quality, latency, and the
// latency that is measured, of every genome, the last gene's values the fastest; NaN for
// those that are not in the space.
func TestWriteTruths(t *testing.T) {
	if *truthsFolder == "" {
		t.Skip("no -truths")
	}
	var meta struct {
		Genes  []int    `json:"genes"`
		Tables []string `json:"tables"`
	}
	for seed := range uint64(truthSeeds) {
		tr := truth(seed)
		space := tr.Problem.Space.(*search.Homogeneous)
		if seed == 0 {
			for _, gene := range space.Genes() {
				meta.Genes = append(meta.Genes, gene.Count())
			}
		}
		var all []search.Genome
		for g := range space.All() {
			all = append(all, g)
		}
		size := 1
		for _, gene := range space.Genes() {
			size *= gene.Count()
		}
		table := make([]byte, 0, 3*8*size)
		nan := func(until int) {
			for len(table) < 3*8*until {
				table = binary.LittleEndian.AppendUint64(table, math.Float64bits(math.NaN()))
			}
		}
		err := tr.Evaluator(truthNoise, seed).Evaluate(t.Context(), all, func(e search.Evaluation) error {
			at := 0
			for i, gene := range space.Genes() {
				at = at*gene.Count() + e.Genome.At(i)
			}
			nan(at)
			is := tr.Values(e.Genome)
			for _, v := range []float64{is[0], is[1], e.Values[1]} {
				table = binary.LittleEndian.AppendUint64(table, math.Float64bits(v))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		nan(size)
		meta.Tables = append(meta.Tables, fmt.Sprintf("truth%02d.f64", seed))
		if err := os.WriteFile(filepath.Join(*truthsFolder, meta.Tables[seed]), table, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*truthsFolder, "truths.json"), raw, 0o666); err != nil {
		t.Fatal(err)
	}
}
