package arch

import (
	"math"
	"testing"
)

// The model of 1 layer, d_model 4, d_inner 8, 2 heads, vocabulary 10, counted by hand.
func TestTrainingByHand(t *testing.T) {
	s := NewSpec(GPT2, 1, 4, 8, 2)
	s.Vocab, s.Positions = 10, 6
	const products = 4*12 + 4*4 + 4*8 + 8*4 + 4*10 // qkv, projection, two of the MLP, the head
	const pairs = 1 + 2 + 3
	forward := float64(3*2*products + 2*2*4*pairs) // scores and sums of values, 4 wide in all
	if got := s.ForwardFlops(3); got != forward {
		t.Errorf("forward %v, want %v", got, forward)
	}
	if got := s.TrainFlops(3); got != 3*forward {
		t.Errorf("forward and back %v, want %v", got, 3*forward)
	}
	const parameters = 10*4 + 6*4 + (4*12 + 12) + (4*4 + 4) + (4*8 + 8) + (8*4 + 4) + 3*2*4
	const row = 3*(4+4+4+8+4) + 2*pairs // what products take, and weights of two heads
	if got, want := s.TrainBytes(5, 3, 4), float64(4*(4*parameters+5*row)); got != want {
		t.Errorf("memory %v, want %v", got, want)
	}
	// In 16 bits what products take is half of that, attention's weights are there in both,
	// and so are parameters.
	if got, want := s.TrainBytes(5, 3, 2), float64(18*parameters+5*(2*(row-2*pairs)+6*2*pairs)); got != want {
		t.Errorf("memory in 16 bits %v, want %v", got, want)
	}
}

// A recurrent layer attends to nothing: twice the tokens are twice the work.
func TestTrainingOfRecurrentLayers(t *testing.T) {
	s := NewStack(LSTM, 2, 32, 48)
	if got := s.TrainFlops(64) / s.TrainFlops(32); math.Abs(got-2) > 1e-12 {
		t.Errorf("twice the tokens are %v times the work", got)
	}
}
