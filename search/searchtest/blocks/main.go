// Command blocks measures what a layer of each kind costs in mixed models, and writes
// it as JSON: the figures that searchtest's mixed truth is composed of.
//
//	go build -o /tmp/lathe ./cmd/lathe
//	go run ./search/searchtest/blocks -lathe /tmp/lathe -o search/searchtest/testdata/blocks.json
//
// For every d_model and kind of layer it has lathe measure models of 1 and of 5 such
// layers beside one baseline, each in several sessions, whose medians it takes. A layer's
// cost is a fourth of the difference, and what is left of the model of 1 layer is the cost
// of all that stands outside the layers. Costs are shares of the baseline's PL and TL, so
// that other programs on the machine, which slow both, hardly matter.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"lathe/graphgen/arch"
	"lathe/search/searchtest"
)

// layers that the two models of a kind have.
var depths = [2]int{1, 5}

func main() {
	lathe := flag.String("lathe", "lathe", "the lathe binary")
	out := flag.String("o", "blocks.json", "the file to write")
	sessions := flag.Int("sessions", 3, "sessions of each model, minutes apart")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*lathe, *out, *sessions); err != nil {
		log.Fatal("blocks: ", err)
	}
}

// ratios are a model's PL and TL relative to the baseline's, one of each a session.
type ratios struct{ pl, tl []float64 }

func run(lathe, out string, sessions int) error {
	dir, err := os.MkdirTemp("", "blocks")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, kinds := searchtest.MixedLayers(), searchtest.MixedKinds()
	b := searchtest.Blocks{Baseline: searchtest.MixedBaseline().Name()}
	measured := make([]ratios, len(l.DModel.Choices)*len(kinds)*len(depths))
	var base ratios // milliseconds
	for session := range sessions {
		for i := range measured {
			d, kind, n := l.DModel.Choices[i/len(depths)/len(kinds)], kinds[i/len(depths)%len(kinds)], depths[i%len(depths)]
			spec := arch.NewSpec(arch.Mixed, 0, d, 0, 0)
			spec.Vocab, spec.Positions, spec.Layers = l.Vocab, l.Positions, slices.Repeat([]arch.Layer{kind}, n)
			r, err := measure(lathe, dir, b.Baseline, spec.Normalized(), session)
			if err != nil {
				return err
			}
			one := r.Results[0]
			b.CPU, b.Library = one.Host.CPU, one.Host.Library
			base.pl, base.tl = append(base.pl, r.Baseline.PL.P50), append(base.tl, r.Baseline.TL.P50)
			measured[i].pl, measured[i].tl = append(measured[i].pl, one.Ratio.PL.Median), append(measured[i].tl, one.Ratio.TL.Median)
			log.Printf("session %d of %d: %d of %d", session+1, sessions, i+1, len(measured))
		}
	}
	b.PL, b.TL = median(base.pl), median(base.tl)
	b.Costs = costs(l.DModel.Choices, kinds, measured)
	raw, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(raw, '\n'), 0o644)
}

// costs are those of the layers, and of what is outside them.
func costs(dModel []int, kinds []arch.Layer, measured []ratios) []searchtest.Block {
	var all []searchtest.Block
	for i, d := range dModel {
		var outside ratios
		for k, kind := range kinds {
			at := measured[(i*len(kinds)+k)*len(depths):]
			layer := searchtest.Block{DModel: d, Layer: kind}
			share := func(few, many []float64, rest *[]float64) float64 {
				one := (median(many) - median(few)) / float64(depths[1]-depths[0])
				*rest = append(*rest, median(few)-float64(depths[0])*one)
				return one
			}
			layer.PL = share(at[0].pl, at[1].pl, &outside.pl)
			layer.TL = share(at[0].tl, at[1].tl, &outside.tl)
			all = append(all, layer)
		}
		all = append(all, searchtest.Block{DModel: d, PL: median(outside.pl), TL: median(outside.tl)})
	}
	return all
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// measure has one model timed.
func measure(lathe, dir, baseline string, s arch.Spec, seed int) (*result, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "model.yaml") // JSON is YAML
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(lathe, "measure", file, "--baseline", baseline, "--pl-pairs", "8", "--tl-pairs", "48",
		"--seed", fmt.Sprint(seed+1), "--json", "--store", filepath.Join(dir, "blocks.db"))
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	r := new(result)
	if err := json.Unmarshal(printed, r); err != nil {
		return nil, err
	}
	if len(r.Results) != 1 {
		return nil, fmt.Errorf("%s printed %d results, want 1", cmd, len(r.Results))
	}
	return r, nil
}

// result is what is read of what lathe measure prints.
type result struct {
	Baseline struct {
		PL quantile `json:"pl_ms"`
		TL quantile `json:"tl_ms"`
	} `json:"baseline"`
	Results []struct {
		Host struct {
			CPU     string `json:"cpu_model"`
			Library string `json:"library_version"`
		} `json:"host"`
		Ratio struct {
			PL ratio `json:"pl"`
			TL ratio `json:"tl"`
		} `json:"ratio"`
	} `json:"results"`
}

type quantile struct {
	P50 float64 `json:"p50"`
}

type ratio struct {
	Median float64 `json:"median"`
}
