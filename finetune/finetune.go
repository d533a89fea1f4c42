// Package finetune trains models: it differentiates the lowering's forward pass, and runs
// training steps as ONNX graphs on ONNX Runtime.
//
// A [Model] is a Spec's parameters, their gradients and the optimizer's moments in memory
// of ours, and the sessions that work on it in place: one adds a batch's gradients to
// what is there ([Model.Accumulate]), one takes their norm and one updates parameters
// ([Model.Apply]); one computes the loss alone ([Model.Loss]). They are ordinary graphs:
// any batch size, the sandwich rule of a supernet and distillation are more calls of
// Accumulate before one of Apply.
//
// It knows no text and no files: ids and labels go in, losses come out. What is trained,
// when, on what and for how long is its callers' part.
package finetune

import (
	"fmt"
	"math"

	"lathe/graphgen"
	"lathe/graphgen/arch"
)

// Ignored is the label of a token whose loss does not count: padding, a prompt.
const Ignored = -100

// StepOptions say what is trained, and how a step is run.
type StepOptions struct {
	Spec            arch.Spec
	Batch, Sequence int     // rows of a step and tokens of a row
	Dropout         float64 // see [graphgen.Training]
	// Seed is of dropout's masks, which are a function of it, of the optimizer's step and
	// of the batch within that step.
	Seed uint64
	// Parts is in how many runs a batch's rows go, which it divides, one after the other:
	// less memory for activations. 0 chooses: as many as leave a run 512 tokens.
	Parts int
	// HeadChunks is how many pieces a run's rows are cut into for the LM head and the loss,
	// the largest values of a step: tokens times vocabulary. 0 chooses.
	HeadChunks int
	// Checkpoint keeps of a layer's forward pass only what goes into it, and computes the
	// rest again in the reverse pass: less memory, about a third more time.
	Checkpoint bool
	Optimizer  Optimizer
	Distill    *Distill // nil: from the text alone
	Threads    int      // 0 is 1
	// Compute is the type of products; "": FP32. Where the provider is the CPU, which has
	// no kernels of 16 bits, the others are computed in fp32 and rounded: slower, and the
	// same numbers but for the order of sums.
	Compute Compute
	// Scale is what losses are scaled by at first in FP16; 0: 65536. See [Scaling].
	Scale float64
	// Provider runs what computes gradients and losses, with options in its own words; "":
	// the CPU. Parameters stay in the computer's memory, where the CPU updates them.
	Provider        string
	ProviderOptions map[string]string
	// ProfilePrefix, if set, starts the name of the file to which the library writes where
	// the gradients' time went; see ort.Options.
	ProfilePrefix string
}

// Optimizer is AdamW (Loshchilov and Hutter 2019, decoupled weight decay) with the
// gradients' global norm clipped. A zero is the default beside it, those of GPT-3 (Brown
// et al. 2020, appendix B).
type Optimizer struct {
	Beta1    float64 // of the mean of gradients: 0.9
	Beta2    float64 // of the mean of their squares: 0.95
	Epsilon  float64 // added to the root of that: 1e-8
	ClipNorm float64 // what the norm is clipped to: 1; negative: nothing is clipped
	// WeightDecay, times the learning rate, is what matrices (embeddings too, but no gains
	// and no biases) shrink by at every step: 0.1; negative: none.
	WeightDecay float64
}

func (o Optimizer) withDefaults() Optimizer {
	set := func(v *float64, def float64) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			*v = 0
		}
	}
	set(&o.WeightDecay, 0.1)
	set(&o.ClipNorm, 1)
	set(&o.Beta1, 0.9)
	set(&o.Beta2, 0.95)
	set(&o.Epsilon, 1e-8)
	return o
}

func (o Optimizer) validate() error {
	for _, v := range []struct {
		name string
		v    float64
		ok   bool
	}{
		{"beta1", o.Beta1, o.Beta1 >= 0 && o.Beta1 < 1},
		{"beta2", o.Beta2, o.Beta2 >= 0 && o.Beta2 < 1},
		// Below the smallest normal float32, and the quotient of two zeros, there is none.
		{"epsilon", o.Epsilon, o.Epsilon == 0 || o.Epsilon >= 1e-30 && o.Epsilon < 1},
		{"weight decay", o.WeightDecay, o.WeightDecay < 1e6},
		{"clip norm", o.ClipNorm, o.ClipNorm < 1e30},
	} {
		if !v.ok {
			return fmt.Errorf("finetune: the optimizer's %s is %g", v.name, v.v)
		}
	}
	return nil
}

func (o StepOptions) training() graphgen.Training {
	return graphgen.Training{Batch: int64(o.Batch / o.Parts), Sequence: int64(o.Sequence), Dropout: o.Dropout, Compute: computeTypes[o.Compute]}
}

// tokens are those of a run.
func (o StepOptions) tokens() int { return o.Batch / o.Parts * o.Sequence }

func (o StepOptions) validate() error {
	if o.Parts < 1 || o.Batch%o.Parts != 0 {
		return fmt.Errorf("finetune: %d rows a step cannot go in %d equal parts", o.Batch, o.Parts)
	}
	if o.HeadChunks < 0 || o.HeadChunks > max(o.tokens(), 1) {
		return fmt.Errorf("finetune: %d tokens a run cannot be cut into %d chunks for the head", o.tokens(), o.HeadChunks)
	}
	if o.Distill != nil {
		if err := o.Distill.validate(o.Spec.Vocab); err != nil {
			return err
		}
	}
	if err := o.Compute.validate(); err != nil {
		return err
	}
	if fraction, _ := math.Frexp(o.Scale); !(o.Scale >= 1 && o.Scale <= mostScale && fraction == 0.5) {
		return fmt.Errorf("finetune: losses scaled by %g: want a power of two from 1 to %d", o.Scale, int64(mostScale))
	}
	return o.Optimizer.validate()
}
