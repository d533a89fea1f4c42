package train

import (
	"fmt"
	"math"
)

// Shape is how a learning rate falls after its warm-up.
type Shape string

// The shapes.
const (
	Cosine   Shape = "cosine" // along half a cosine, as Loshchilov and Hutter (SGDR, 2017) without restarts
	Linear   Shape = "linear"
	Constant Shape = "constant" // it does not fall
)

// Shapes are all of them.
var Shapes = []Shape{Cosine, Linear, Constant}

// Schedule is the learning rate of each step of a training.
type Schedule struct {
	Shape  Shape   `json:"shape"`
	Peak   float64 `json:"peak"`
	Floor  float64 `json:"floor"`  // of the last step, unless the shape is Constant
	Warmup int     `json:"warmup"` // steps in which the rate rises to Peak, in equal parts
	Steps  int     `json:"steps"`
}

// Validate reports the first setting that makes no schedule.
func (s Schedule) Validate() error {
	known := false
	for _, shape := range Shapes {
		known = known || s.Shape == shape
	}
	switch {
	case !known:
		return fmt.Errorf("train: schedule %q: known are %v", s.Shape, Shapes)
	case s.Steps < 0:
		return fmt.Errorf("train: %d steps: want 0 or more", s.Steps)
	case s.Warmup < 0:
		return fmt.Errorf("train: a warm-up of %d steps: want 0 or more", s.Warmup)
	case !(s.Peak > 0) || math.IsInf(s.Peak, 0):
		return fmt.Errorf("train: a learning rate of %g: want a positive number", s.Peak)
	case !(s.Floor >= 0 && s.Floor <= s.Peak):
		return fmt.Errorf("train: a learning rate that ends at %g: want 0 to %g, its highest", s.Floor, s.Peak)
	}
	return nil
}

// At is the learning rate of a step, the first of which is 1. Peak is that of step
// Warmup, Floor that of step Steps and of those after it, if the warm-up is over by then.
func (s Schedule) At(step int) float64 {
	if step <= s.Warmup && s.Warmup > 0 {
		return s.Peak * float64(step) / float64(s.Warmup)
	}
	if s.Shape == Constant {
		return s.Peak
	}
	done := 1.0
	if step < s.Steps {
		done = float64(step-s.Warmup) / float64(s.Steps-s.Warmup)
	}
	left := 1 - done
	if s.Shape == Cosine {
		left = (1 + math.Cos(math.Pi*done)) / 2
	}
	return s.Floor + (s.Peak-s.Floor)*left
}
