package latmodel

import "math"

// Noise is the error of the measurement itself, from candidates that were measured
// in several sessions: what a model would be charged with if it were perfect, but
// for what all sessions of a candidate have in common. An error e of the model
// shows as about sqrt(e^2 + MAPE^2).
type Noise struct {
	Candidates int     `json:"candidates"` // with more than one session
	Sessions   int     `json:"sessions"`   // of those
	MAPE       float64 `json:"mape"`       // mean absolute error that what is pooled of one candidate has, relative
	SD         float64 `json:"sd"`         // its standard deviation
}

// noiseOf estimates it from each session by itself, by candidate; nil where no
// candidate has two sessions. A session's variance is taken to be in inverse
// proportion to its weight: the difference of two sessions' logarithms then has
// that of c/w + c/v, and what is pooled of all that of c over the sum of weights.
func noiseOf(candidates [][]measured) *Noise {
	var n Noise
	for _, sessions := range candidates {
		k := len(sessions)
		if k < 2 {
			continue
		}
		total := 0.0
		for _, s := range sessions {
			total += s.weight
		}
		var abs, square float64
		for i, s := range sessions {
			for _, o := range sessions[:i] {
				d := math.Log(s.ratio / o.ratio)
				share := 1 / total / (1/s.weight + 1/o.weight)
				abs, square = abs+math.Abs(d)*math.Sqrt(share), square+d*d*share
			}
		}
		pairs := float64(k*(k-1)) / 2
		n.Candidates, n.Sessions = n.Candidates+1, n.Sessions+k
		n.MAPE, n.SD = n.MAPE+abs/pairs, n.SD+square/pairs
	}
	if n.Candidates == 0 {
		return nil
	}
	n.MAPE /= float64(n.Candidates)
	n.SD = math.Sqrt(n.SD / float64(n.Candidates))
	return &n
}
