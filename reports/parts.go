package reports

import "slices"

// parts are the sections of the report in its order, of which those that nothing is known
// of are left out.
func (r *Report) parts() ([]part, error) {
	plots, err := r.Plots()
	if err != nil {
		return nil, err
	}
	of := map[string]figures{}
	for _, p := range plots {
		of[p.Part] = append(of[p.Part], p)
	}
	var out []part
	for _, make := range []func(*Report, figures) part{
		(*Report).summaryPart, (*Report).checksPart, (*Report).frontPart, (*Report).table1Part, (*Report).table2Part, (*Report).table3Part,
		(*Report).progressPart, (*Report).shapesPart, (*Report).latencyPart, (*Report).operatorsPart, (*Report).fitPart, (*Report).proxyPart,
		(*Report).measuredPart, (*Report).nightsPart, (*Report).conditionsPart, (*Report).warningsPart, (*Report).missingPart,
	} {
		p := make(r, nil)
		if own := of[p.key]; len(own) > 0 {
			p = make(r, own)
		}
		p.blocks = slices.DeleteFunc(p.blocks, func(b block) bool {
			switch b := b.(type) {
			case *grid:
				return b == nil || len(b.rows) == 0
			case *list:
				return b == nil || len(b.items) == 0
			case figures:
				return len(b) == 0
			}
			return false
		})
		if len(p.prose)+len(p.blocks) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}
