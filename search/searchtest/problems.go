package searchtest

import (
	"lathe/graphgen/arch"
	"lathe/search"
)

// Varied is a small problem with everything that a space may have: layers of all types
// and sizes, genes that bear on some points only, constraints, choices and sizes of
// builds, three objectives, all counted, and a limit that most points break.
func Varied() *search.Problem {
	layers, err := search.Layers{
		Vocab: 500, Positions: 64, DModel: arch.Axis{Choices: []int{64, 128}}, NLayer: arch.Axis{Min: 1, Max: 3},
		Types: []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
		NHead: arch.Axis{Choices: []int{2, 4}}, DInner: arch.Axis{Choices: []int{128, 256, 512}}, Hidden: arch.Axis{Choices: []int{64, 128}},
		Constraints: []string{"d_inner >= 2*d_model"},
	}.Compile(arch.Build{})
	if err != nil {
		panic(err)
	}
	space, err := search.NewJoint(layers,
		search.PrecisionAxis([]arch.Precision{{Type: arch.Unquantized}, {Type: arch.Int4, Block: 32}, {Type: arch.Int4, Block: 64}}),
		search.ThreadsAxis([]int{1, 2, 4}))
	if err != nil {
		panic(err)
	}
	return &search.Problem{
		Space: space, Objectives: []search.Objective{search.Quality(search.DecoderParams{}), search.BytesPerToken, search.WeightBits},
		Limits:   []search.Limit{{Objective: search.BytesPerToken.Name, Within: search.Interval{Low: 0, High: 400e3}}},
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 4, 128, 512, 2)},
	}
}
