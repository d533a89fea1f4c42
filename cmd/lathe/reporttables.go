package main

import (
	"cmp"
	"math"
	"slices"

	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/reports"
)

// tabledRecord is a candidate's record of Table 1, and where that has requests alone the one
// with its steps.
type tabledRecord struct {
	label string
	record.Record
	steps *record.Record
}

// records are both.
func (t tabledRecord) records() []record.Record {
	if t.steps == nil {
		return []record.Record{t.Record}
	}
	return []record.Record{t.Record, *t.steps}
}

// summary has PL and TL of steps where the table has any: those of requests are of prompts of
// many lengths, and nothing to stand beside them.
func (t tabledRecord) summary(haveSteps bool) record.Summary {
	s := record.Summarize(t.Record, record.Options{})
	switch {
	case t.steps != nil:
		of := record.Summarize(*t.steps, record.Options{})
		s.Samples.PL, s.Samples.TL, s.PL, s.TL = of.Samples.PL, of.Samples.TL, of.PL, of.TL
		s.Ratio.PL, s.Ratio.TL = of.Ratio.PL, of.Ratio.TL
		s.Warnings = append(s.Warnings, of.Warnings...)
	case haveSteps && !t.hasSteps():
		s.PL, s.TL, s.Ratio.PL, s.Ratio.TL = nil, nil, nil, nil
	}
	return s
}

func (t tabledRecord) hasSteps() bool { return t.steps != nil || len(t.PL)+len(t.TL) > 0 }

// tables fills in Table 1 and the distributions from records, and all three tables from a
// study, whose models are trained.
func (r *reportOf) tables() error {
	rows, err := r.tabledRecords()
	if err != nil {
		return err
	}
	for _, row := range rows {
		of := row.Record
		if row.steps != nil {
			of.PL, of.TL = row.steps.PL, row.steps.TL
		}
		r.distributions(of)
	}
	if r.study != nil {
		r.studyTables()
		return nil
	}
	if len(rows) == 0 {
		return nil
	}
	var records []record.Record
	for _, row := range rows {
		records = append(records, row.records()...)
	}
	haveSteps := slices.ContainsFunc(rows, tabledRecord.hasSteps)
	doubts, said := warningCounts{}, map[string]bool{}
	add := func(label string, of record.Subject, s record.Summary) {
		m := reports.Model{Label: label, Candidate: of.Name(), Latency: s}
		if spec, known := of.Spec(); known {
			m.Spec, m.DecoderParams, m.TotalParams = spec, spec.DecoderParams(), spec.TotalParams()
		}
		if b := r.front; b != nil && b.Setup.Training != nil && b.Pick != nil && record.Of(b.Pick.Candidate).Equal(of) {
			m.Trained = &reports.Trained{Text: measureOf(math.Exp(-b.Pick.Quality), stat.Interval{})}
		}
		r.out.Models = append(r.out.Models, m)
	}
	baseline := record.SummarizeBaseline(records, record.Options{})
	add(baselineLabel, r.baseline, baseline)
	for _, row := range rows {
		s := row.summary(haveSteps)
		add(row.label, row.Candidate, s)
		for _, w := range s.Warnings {
			doubts.add(w)
			said[w] = true
		}
	}
	for _, w := range baseline.Warnings { // which repeats those of its records
		if !said[w] {
			doubts.add(w)
		}
	}
	for _, w := range doubts.list() {
		r.warn("Table 1", w.text, w.times)
	}
	return nil
}

// lastMeasured is how many candidates Table 1 has of a store without a search.
const lastMeasured = 8

// tabledRecords are the latest records of the pick and its variants, of requests where there
// are any, and of steps; without a search, of what was measured last.
func (r *reportOf) tabledRecords() (rows []tabledRecord, err error) {
	if r.records == nil {
		return nil, nil
	}
	hashes, labels := []string{}, []string{}
	candidates, names := r.tabled()
	for i, c := range candidates {
		hashes, labels = append(hashes, c.Hash()), append(labels, names[i])
	}
	if r.front == nil {
		for h, l := range r.records.latest {
			if l.failure == "" && h != r.records.baseline {
				hashes = append(hashes, h)
			}
		}
		slices.SortFunc(hashes, func(a, b string) int {
			x, y := r.records.latest[a], r.records.latest[b]
			return cmp.Or(-cmp.Compare(min(len(x.requests), 1), min(len(y.requests), 1)), -cmp.Compare(x.at, y.at))
		})
		hashes = hashes[:min(len(hashes), lastMeasured)]
		labels = make([]string, len(hashes))
	}
	for i, h := range hashes {
		l := r.records.latest[h]
		id := cmp.Or(l.requests, l.steps)
		if id == "" {
			continue
		}
		found, err := r.st.Record(r.ctx, id)
		if err != nil {
			return nil, err
		}
		row := tabledRecord{cmp.Or(labels[i], found.Candidate.Name()), found, nil}
		if !row.hasSteps() && l.steps != "" {
			steps, err := r.st.Record(r.ctx, l.steps)
			if err != nil {
				return nil, err
			}
			row.steps = &steps
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// distributions adds how long the pairs of a record took on either side.
func (r *reportOf) distributions(of record.Record) {
	sides := map[string][2][]float64{}
	add := func(metric string, own, partner float64) {
		const ms = 1e6 // ns
		s := sides[metric]
		sides[metric] = [2][]float64{append(s[0], own/ms), append(s[1], partner/ms)}
	}
	for _, p := range of.PL {
		add(record.MetricPL, float64(p.NS), float64(p.PartnerNS))
	}
	for _, p := range of.TL {
		add(record.MetricTL, float64(p.NS), float64(p.PartnerNS))
	}
	for _, q := range of.Requests {
		if len(of.PL) == 0 { // as in summaries: steps are of one size, requests of many
			add(record.MetricPL, float64(q.Own.PL), float64(q.Partner.PL))
		}
		if a, ok := q.Own.MeanTL(); ok && len(of.TL) == 0 {
			if b, ok := q.Partner.MeanTL(); ok {
				add(record.MetricTL, a, b)
			}
		}
		if a, ok := q.Own.LatencyChar(); ok {
			if b, ok := q.Partner.LatencyChar(); ok {
				add(record.MetricP95, a, b)
			}
		}
	}
	for _, metric := range []string{record.MetricPL, record.MetricTL, record.MetricP95} {
		s := sides[metric]
		if len(s[0]) == 0 {
			continue
		}
		d := reports.Distribution{Candidate: of.Candidate.Name(), Metric: metric, N: len(s[0])}
		d.Shares, d.Own, d.Baseline = distribute(s[0], s[1])
		r.out.Distributions = append(r.out.Distributions, d)
	}
}

// distributionPoints bounds how many points of a distribution are kept: more than a plot
// shows.
const distributionPoints = 200

// distribute sorts times, of n pairs, and keeps all of them or evenly some, with the share
// of the times that are at most each.
func distribute(own, partner []float64) (shares, a, b []float64) {
	own, partner = slices.Sorted(slices.Values(own)), slices.Sorted(slices.Values(partner))
	n := len(own)
	k := min(n, distributionPoints)
	for i := range k {
		rank := ((i+1)*n + k - 1) / k
		shares, a, b = append(shares, float64(rank)/float64(n)), append(a, own[rank-1]), append(b, partner[rank-1])
	}
	return shares, a, b
}

// studyTables are Tables 1 to 3 of a study.
func (r *reportOf) studyTables() {
	s := r.study
	for i, m := range s.Models {
		row := reports.Model{
			Label: m.Label, Candidate: m.Candidate.Name(), Spec: m.Candidate.Spec, DecoderParams: m.DecoderParams, TotalParams: m.TotalParams, Latency: m.Latency,
		}
		if e := m.Eval; e != nil {
			t := &reports.Trained{
				Lambada:  reports.Measure{Value: orNil(e.Lambada.Perplexity), CI: e.Lambada.PerplexityCI},
				Accuracy: reports.Measure{Value: orNil(e.Lambada.Accuracy), CI: e.Lambada.AccuracyCI},
				Text:     reports.Measure{Value: orNil(e.Perplexity.Perplexity), CI: e.Perplexity.PerplexityCI},
			}
			if i > 0 {
				t.Relative, t.Passes = reports.Measure{Value: orNil(m.Relative.Value), CI: m.Relative.CI}, &m.Passed
			}
			row.Trained = t
		}
		r.out.Models = append(r.out.Models, row)
	}
	r.out.Suggestions = s.suggestions()
	for _, w := range s.Warnings {
		r.warn("study", w, 1)
	}
}

// suggestions is a study's Table 3.
func (r *studyReport) suggestions() *reports.Suggestions {
	base, pick := r.Measures[baselineLabel], r.Measures[r.Pick.Label]
	out := &reports.Suggestions{
		Pick: r.Pick.Label, Baseline: measuresRow(baselineLabel, base), Own: measuresRow(r.Pick.Label, pick), Difference: differenceRow(r.Difference),
	}
	if t := r.Tail; t != nil {
		out.Tail, out.OwnTail = reports.Measure{Value: &t.Baseline, CI: t.BaselineCI}, reports.Measure{Value: &t.Pick, CI: t.PickCI}
		out.TailChange = reports.Measure{Value: &t.Ratio, CI: t.RatioCI}
	}
	return out
}
