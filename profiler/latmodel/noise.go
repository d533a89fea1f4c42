package latmodel

import "math"

// Noise is the error of the measurement itself, from candidates that were measured
// in several sessions: what a model would be charged with if it were perfect. An
// error e of the model shows as about sqrt(e^2 + MAPE^2).
type Noise struct {
	Candidates int     `json:"candidates"` // with more than one session
	Sessions   int     `json:"sessions"`   // of those
	MAPE       float64 `json:"mape"`       // mean absolute error that what is pooled of one candidate has, relative
	SD         float64 `json:"sd"`         // its standard deviation
}

// noiseOf estimates it from ratios of each session, by candidate; nil where no
// candidate has two sessions. The difference of two sessions' logarithms is sqrt(2)
// of one session's error in size, and k sessions together err sqrt(k) times less.
func noiseOf(sessions [][]float64) *Noise {
	var n Noise
	for _, s := range sessions {
		k := len(s)
		if k < 2 {
			continue
		}
		var abs, square float64
		for i := range s {
			for _, o := range s[:i] {
				d := math.Log(s[i] / o)
				abs, square = abs+math.Abs(d), square+d*d
			}
		}
		pairs := float64(k*(k-1)) / 2
		n.Candidates, n.Sessions = n.Candidates+1, n.Sessions+k
		n.MAPE += abs / pairs / math.Sqrt(2*float64(k))
		n.SD += square / pairs / 2 / float64(k)
	}
	if n.Candidates == 0 {
		return nil
	}
	n.MAPE /= float64(n.Candidates)
	n.SD = math.Sqrt(n.SD / float64(n.Candidates))
	return &n
}
