package profiler

import "lathe/runtime/decode"

// Sequence makes a model of batch 1 a Session.
func Sequence(m *decode.Model) Session { return &sequence{m: m} }

// sequence holds the slices that a preparation takes, so that none is made while
// tokens are timed.
type sequence struct {
	m      *decode.Model
	prompt [1][]int64
	token  [1]int64
}

func (s *sequence) Reset() { s.m.Reset() }

func (s *sequence) PreparePrefill(ids []int64) error {
	s.prompt[0] = ids
	return s.m.PreparePrefill(s.prompt[:])
}

func (s *sequence) PrepareStep(id int64) error {
	s.token[0] = id
	return s.m.PrepareStep(s.token[:])
}

func (s *sequence) Run() error { return s.m.Run() }
