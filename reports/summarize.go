package reports

// Summarize fills in Summary and Checks from the rest.
func (r *Report) Summarize() {
	r.Checks = r.checks()
	r.Summary = nil
	for _, s := range r.summary() {
		r.Summary = append(r.Summary, s.text())
	}
}

// summary is the three sentences, with the numbers in them.
func (r *Report) summary() []sentence {
	return []sentence{r.found(), r.certainty(), r.next()}
}
