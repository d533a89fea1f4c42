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
	for _, section := range []struct {
		key  string
		part func(*Report, figures) part
	}{
		{"summary", (*Report).summaryPart}, {"checks", (*Report).checksPart}, {"front", (*Report).frontPart},
		{"table1", (*Report).table1Part}, {"table2", (*Report).table2Part}, {"table3", (*Report).table3Part},
		{"progress", (*Report).progressPart}, {"shapes", (*Report).shapesPart}, {"latency", (*Report).latencyPart},
		{"operators", (*Report).operatorsPart}, {"fit", (*Report).fitPart}, {"proxy", (*Report).proxyPart},
		{"measured", (*Report).measuredPart}, {"nights", (*Report).nightsPart}, {"conditions", (*Report).conditionsPart},
		{"warnings", (*Report).warningsPart}, {"missing", (*Report).missingPart},
	} {
		p := section.part(r, of[section.key])
		p.key = section.key
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
