package main

import (
	"errors"
	"math"

	"lathe/finetune"
	"lathe/finetune/train"
)

// trainee is a model as the training loop has it.
type trainee struct{ *finetune.Model }

// Accumulate returns a loss that is no number as such: the loop says what becomes of it.
func (t trainee) Accumulate(ids, labels []int64, scale float32) (float64, int, error) {
	sum, n, err := t.Model.Accumulate(ids, labels, scale)
	return notFinite(sum, err), n, unlessNotFinite(err)
}

// Apply does the same with the gradient's norm. One that overflowed is the loop's to note.
func (t trainee) Apply(lr float64) (float64, error) {
	norm, err := t.Model.Apply(lr)
	if errors.Is(err, finetune.ErrSkipped) {
		return norm, train.ErrSkipped
	}
	return notFinite(norm, err), unlessNotFinite(err)
}

// Loss does the same.
func (t trainee) Loss(ids, labels []int64) (float64, int, error) {
	sum, n, err := t.Model.Loss(ids, labels)
	return notFinite(sum, err), n, unlessNotFinite(err)
}

func notFinite(v float64, err error) float64 {
	if errors.Is(err, finetune.ErrNotFinite) && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func unlessNotFinite(err error) error {
	if errors.Is(err, finetune.ErrNotFinite) {
		return nil
	}
	return err
}

// State is what a checkpoint holds.
func (t trainee) State() train.State {
	s := t.Model.State()
	of := func(list []finetune.Tensor) []train.Tensor {
		out := make([]train.Tensor, len(list))
		for i, x := range list {
			out[i] = train.Tensor{Name: x.Param.Name, Shape: make([]int64, len(x.Param.Shape)), Values: x.Values}
			for k, d := range x.Param.Shape {
				out[i].Shape[k] = d.N
			}
		}
		return out
	}
	return train.State{Parameters: of(s.Parameters), First: of(s.First), Second: of(s.Second), Scaling: (*train.Scaling)(s.Scaling)}
}
