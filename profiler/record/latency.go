package record

// TotalNS returns the time of the whole request: PL and every TL.
func (q Request) TotalNS() float64 {
	total := float64(q.PL)
	for _, ns := range q.TL {
		total += float64(ns)
	}
	return total
}

// MeanTL returns the request's TL, the mean time of each token after the first,
// in nanoseconds; ok is false where there was no such token.
func (q Request) MeanTL() (ns float64, ok bool) {
	if len(q.TL) == 0 {
		return 0, false
	}
	return (q.TotalNS() - float64(q.PL)) / float64(len(q.TL)), true
}

// LatencyChar returns (PL + (t-1) TL)/c, the time a character shown, in
// nanoseconds, for a request that generates t tokens which show c characters. ok
// is false where nothing is shown: such a request has no latency_char.
func (q Request) LatencyChar() (ns float64, ok bool) {
	if q.Chars <= 0 {
		return 0, false
	}
	return q.TotalNS() / float64(q.Chars), true
}

// LatencyToken returns (PL + (t-1) TL)/t, the time a token, in nanoseconds. It is
// the form that the paper prints, with one n for the tokens and the characters. ok
// is false where no token was generated.
func (q Request) LatencyToken() (ns float64, ok bool) {
	if q.GeneratedTokens <= 0 {
		return 0, false
	}
	return q.TotalNS() / float64(q.GeneratedTokens), true
}

// Sides are what a metric compares, pair by pair in the order taken and in nanoseconds: the
// candidate's times and its partner's, of steps for PL and TL, and of the requests that show
// something on both sides for P95.
func (r Record) Sides(metric string) (own, partner []float64) {
	steps := r.PL
	switch metric {
	case MetricTL:
		steps = r.TL
	case MetricP95:
		for _, p := range r.Requests {
			a, okA := p.Own.LatencyChar()
			b, okB := p.Partner.LatencyChar()
			if okA && okB {
				own, partner = append(own, a), append(partner, b)
			}
		}
		return own, partner
	}
	for _, p := range steps {
		own, partner = append(own, float64(p.NS)), append(partner, float64(p.PartnerNS))
	}
	return own, partner
}
