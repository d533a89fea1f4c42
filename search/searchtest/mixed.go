package searchtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/pareto"
)

// Blocks are the costs that latencies of mixed models are composed of, as shares of the
// baseline's.
type Blocks struct {
	Baseline string  `json:"baseline"`
	CPU      string  `json:"cpu"`
	Library  string  `json:"library"`
	PL       float64 `json:"baseline_pl_ms"`
	TL       float64 `json:"baseline_tl_ms"`
	Costs    []Block `json:"costs"`
}

// Block is what one layer costs in a model of d_model, or all that is outside the layers
// where the layer has no type.
type Block struct {
	DModel int        `json:"d_model"`
	Layer  arch.Layer `json:"layer"`
	PL     float64    `json:"pl"`
	TL     float64    `json:"tl"`
}

// MixedLayers is a space of mixed models that is small enough to be enumerated: 23,400
// architectures of up to four layers.
func MixedLayers() search.Layers {
	return search.Layers{
		Vocab: 8000, Positions: 512,
		Types:  []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
		DModel: arch.Axis{Choices: []int{256, 384, 512, 640, 768}}, NLayer: arch.Axis{Min: 1, Max: 4},
		NHead: arch.Axis{Choices: []int{4, 8}}, DInner: arch.Axis{Choices: []int{1024, 2048}}, Hidden: arch.Axis{Choices: []int{256, 512}},
	}
}

// MixedKinds are the layers that it has.
func MixedKinds() []arch.Layer {
	var kinds []arch.Layer
	l := MixedLayers()
	for _, t := range l.Types {
		if t.Recurrent() {
			for _, h := range l.Hidden.Choices {
				kinds = append(kinds, arch.Layer{Type: t, Hidden: h})
			}
			continue
		}
		for _, h := range l.NHead.Choices {
			for _, d := range l.DInner.Choices {
				kinds = append(kinds, arch.Layer{Type: t, NHead: h, DInner: d})
			}
		}
	}
	return kinds
}

// MixedBaseline is what the costs are relative to.
func MixedBaseline() arch.Candidate {
	s := arch.NewSpec(arch.GPT2, 4, 512, 2048, 8)
	s.Vocab, s.Positions = 8000, 512
	return arch.Candidate{Spec: s}
}

//go:embed testdata/blocks.json
var blocksJSON []byte // by the command in blocks

var blocks = sync.OnceValue(func() Blocks {
	var b Blocks
	if err := json.Unmarshal(blocksJSON, &b); err != nil {
		panic(fmt.Sprintf("searchtest: the recorded blocks: %v", err))
	}
	return b
})

// Mixed is a truth over the space of MixedLayers. Latencies are composed of blocks that
// were measured. Quality is synthetic, and stands for nothing that was trained: it grows
// with the parameters of the layers by the power law of Kaplan et al. 2020, where a
// recurrent layer's count for less, and a seed decides by how much, which types are good
// neighbours, and what each architecture has of its own.
type Mixed struct {
	Problem *search.Problem
	space   *search.Layerwise
	costs   map[Block]Block // by d_model and layer
	seed    uint64
	worth   map[arch.LayerType]float64
	pair    map[[2]arch.LayerType]float64
}

// The sizes of what a seed decides, as shares of quality, which differs by about a third
// over the space.
const (
	pairSD = 0.02
	ownSD  = 0.002
	// scalingExponent is that of Kaplan et al. 2020, equation 1.1.
	scalingExponent = 0.076
)

// NewMixed makes the truth of a seed.
func NewMixed(seed uint64) *Mixed {
	space, err := MixedLayers().Compile(arch.Build{})
	if err != nil {
		panic(err)
	}
	m := &Mixed{
		Problem: &search.Problem{
			Space:      space,
			Objectives: []search.Objective{{Name: "synthetic_quality", Direction: pareto.Maximise}, search.Latency},
			Baseline:   MixedBaseline(),
		},
		space: space, seed: seed, costs: make(map[Block]Block),
		worth: make(map[arch.LayerType]float64), pair: make(map[[2]arch.LayerType]float64),
	}
	for _, b := range blocks().Costs {
		m.costs[Block{DModel: b.DModel, Layer: b.Layer}] = b
	}
	rng := rand.New(rand.NewPCG(seed, 0xb10c))
	for _, t := range MixedLayers().Types {
		m.worth[t] = 1
		if t.Recurrent() {
			m.worth[t] = 0.5 + 0.4*rng.Float64()
		}
		for _, u := range MixedLayers().Types {
			m.pair[[2]arch.LayerType{t, u}] = pairSD * rng.NormFloat64()
		}
	}
	return m
}

// Values are what is true of a point: quality and latency.
func (m *Mixed) Values(g search.Genome) []float64 {
	s := m.Problem.Candidate(g).Spec
	outside := m.costs[Block{DModel: s.DModel}]
	pl, tl := outside.PL, outside.TL
	params := make([]float64, len(s.Layers)) // of each layer
	for p := range slices.Values(s.MatMuls()) {
		if p.Layer >= 0 {
			params[p.Layer] += float64(p.K) * float64(p.N)
		}
	}
	effective, neighbours := 0.0, 0.0
	for i, l := range s.Layers {
		b := m.costs[Block{DModel: s.DModel, Layer: l}]
		pl, tl = pl+b.PL, tl+b.TL
		effective += m.worth[l.Type] * params[i]
		if i > 0 {
			neighbours += m.pair[[2]arch.LayerType{s.Layers[i-1].Type, l.Type}] / float64(len(s.Layers)-1)
		}
	}
	const unit = 10e6 // parameters of quality 1
	quality := (2 - math.Pow(unit/effective, scalingExponent)) * (1 + neighbours + ownSD*normal(m.seed, g))
	rest := (RequestTokens - 1) * blocks().TL
	return []float64{quality, (pl*blocks().PL + tl*rest) / (blocks().PL + rest)}
}

// Name implements search.Evaluator.
func (m *Mixed) Name() string { return fmt.Sprintf("mixed truth of seed %d", m.seed) }

// Evaluate implements search.Evaluator, without noise.
func (m *Mixed) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		if err := emit(search.Evaluation{Genome: g, Kind: search.Exact, Values: m.Values(g)}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
