package record

import (
	"encoding/json"
	"time"

	"lathe/profiler/stat"
)

// Glance is what a record says without its samples: what a report of ten thousand of them
// keeps of each.
type Glance struct {
	Time         time.Time
	Seed         uint64
	WorkloadName string // "" without requests
	Binding      string
	Conditions   Conditions

	// Medians of paired ratios, as Summarize has them: of steps, or of requests where
	// there are none. NaN where there are neither.
	PL, TL                         float64
	PLPairs, TLPairs, RequestPairs int
	Prompt                         int // tokens before the steps; 0 without steps: requests have many lengths
	Drift                          float64
	Failure                        *Failure
	Warnings                       []string // the record's own, and those of its conditions

	// Candidate, Baseline and Host are JSON, parts of what was read: who keeps one keeps all.
	Candidate, Baseline, Host []byte
}

// GlanceOf reads what Marshal wrote.
//
// Note: it takes a quarter of the time of json.Unmarshal, most of which goes to samples;
// the samples are read by a scanner of the one form that Marshal gives them, and what it
// does not know goes the long way.
func GlanceOf(body []byte) (Glance, error) {
	s := scanPool.Get().(*sampleScan)
	defer scanPool.Put(s)
	if g, ok := s.glance(body); ok {
		return g, nil
	}
	var r Record
	if err := json.Unmarshal(body, &r); err != nil {
		return Glance{}, explain(err)
	}
	if err := r.check(); err != nil {
		return Glance{}, err
	}
	return glanceOf(&r)
}

// glanceOf is a glance at a record that was read.
func glanceOf(r *Record) (g Glance, err error) {
	g = Glance{
		Time: r.Time, Seed: r.Seed, WorkloadName: r.Workload.Name, Binding: r.Binding, Conditions: r.Conditions, Failure: r.Failure,
		Warnings: append(append([]string{}, r.Warnings...), r.Conditions.Usage.Warnings()...),
	}
	g.samples(r.PL, r.TL, r.Requests)
	for _, part := range []struct {
		of   any
		into *[]byte
	}{{r.Candidate, &g.Candidate}, {r.Baseline, &g.Baseline}, {r.Host, &g.Host}} {
		if *part.into, err = json.Marshal(part.of); err != nil {
			return g, err
		}
	}
	return g, nil
}

// samples fills in what samples say.
func (g *Glance) samples(pl, tl []StepPair, requests []RequestPair) {
	g.PLPairs, g.TLPairs, g.RequestPairs = len(pl), len(tl), len(requests)
	switch {
	case len(pl) > 0:
		g.Prompt = pl[0].Len
	case len(tl) > 0:
		g.Prompt = tl[0].Len
	}
	g.Drift = Drift(Record{PL: pl, TL: tl, Requests: requests})
	g.PL, g.TL = stat.PairedMedian(ownNS(pl), partnerNS(pl)), stat.PairedMedian(ownNS(tl), partnerNS(tl))
	if len(requests) == 0 || len(pl) > 0 && len(tl) > 0 {
		return
	}
	var plOwn, plPartner, tlOwn, tlPartner []float64
	for _, p := range requests {
		plOwn, plPartner = append(plOwn, float64(p.Own.PL)), append(plPartner, float64(p.Partner.PL))
		a, okA := p.Own.MeanTL()
		b, okB := p.Partner.MeanTL()
		if okA && okB {
			tlOwn, tlPartner = append(tlOwn, a), append(tlPartner, b)
		}
	}
	if len(pl) == 0 {
		g.PL = stat.PairedMedian(plOwn, plPartner)
	}
	if len(tl) == 0 {
		g.TL = stat.PairedMedian(tlOwn, tlPartner)
	}
}
