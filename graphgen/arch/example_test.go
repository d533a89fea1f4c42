package arch_test

import (
	"fmt"

	"lathe/graphgen/arch"
)

func ExampleParseCandidate() {
	c, err := arch.ParseCandidate("gpt2-l12-d1024-f4096-h16+int4+t2")
	if err != nil {
		fmt.Println(err)
		return
	}
	n := c.Counts()
	fmt.Println(c.Name(), n.TotalParams, n.BytesPerToken)
	_, err = arch.ParseCandidate("gpt2-l12-d1000-f4096-h12")
	fmt.Println(err)
	_, err = arch.ParseCandidate("gpt2-l12-d1024-f4096-h16+int2")
	fmt.Println(err)
	// Output:
	// gpt2-l12-d1024-f4096-h16+int4b32+t2 204717056 127188224
	// arch: gpt2-l12-d1000-f4096-h12: column 22: n_head 12 does not divide d_model 1000: use n_head 10 or 20, or give head_dim (-hd83)
	// arch: gpt2-l12-d1024-f4096-h16+int2: column 26: unknown precision "int2": known are fp32, fp16, int4b16, int4b32, int4b64, int4b128, int8b16, int8b32, int8b64, int8b128, int8dyn (int4 is int4b32, int8 is int8b32; with zero points int4b32asym)
}

func ExampleSpace_Compile() {
	space, err := arch.PaperSpace().Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(space.Size(), space.Count())
	for p := range space.Points() {
		fmt.Println(space.Spec(p).Name())
		break
	}
	_, err = arch.PaperSpace().With("d_inner/d_model >= 20").Compile()
	fmt.Println(err)
	// Output:
	// 146900 20760
	// gpt2-l6-d1024-f7744-h4
	// arch: space: no point of 146,900 is left
	//   decoder_params >= 120e6: alone it leaves 107,152 points, without it 0 are left
	//   decoder_params <= 180e6: alone it leaves 67,536 points, without it 0 are left
	//   d_inner/d_model >= 2: alone it leaves 115,700 points, without it 0 are left
	//   d_inner/d_model >= 20: alone it leaves 0 points, without it 20,760 are left
	//   change d_inner/d_model >= 20
}
