package inspect

import (
	"errors"
	"fmt"

	"lathe/graphgen"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/recover"
)

// candidate looks whether the file is what its metadata says.
func (r *Report) candidate(m *onnxpb.ModelProto) {
	match := recover.Compare(m)
	if match == nil {
		return
	}
	c := &Candidate{Spec: match.Text}
	r.Candidate = c
	if match.Err == nil || errors.Is(match.Err, recover.ErrTooFew) {
		c.DecoderParams, c.TotalParams = match.Spec.DecoderParams(), match.Spec.TotalParams()
	}
	switch {
	case errors.Is(match.Err, recover.ErrTooFew):
		c.Differences = []string{match.Err.Error()}
		r.problem("the metadata says that it is %s, and it is not: it would have %v", c.Spec, match.Err)
		return
	case match.Err != nil:
		c.Differences = []string{fmt.Sprintf("the metadata names the model in a way that does not give its sizes (%v): nothing to compare with", match.Err)}
		return
	}
	c.Mode = "plain"
	if match.Mode == graphgen.Cached {
		c.Mode = "cached"
	}
	if match.Graph == nil {
		c.Differences = []string{"no build of it that is known here has these operators"}
		return
	}
	c.Differences = append(match.Weights, match.Rest...)
	if len(match.Weights) > 0 {
		r.problem("the metadata says that it is %s, and it is not: nearest is %s; parameters that differ: %d, first %s",
			c.Spec, match.Nearest.Name(), len(match.Weights), match.Weights[0])
		return
	}
	c.Name, c.Agrees = match.Nearest.Name(), match.Agrees()
}

// recognised looks whether a file that is not ours is a decoder of a family of ours. That
// one is not, or cannot be read whole, is no problem of its own.
func (r *Report) recognised() {
	m, err := recover.Open(r.Path)
	if err != nil {
		return
	}
	defer m.Close()
	text, err := graphgen.SpecText(m.Spec)
	if err != nil {
		return
	}
	r.Candidate = &Candidate{Spec: text, Name: m.Spec.Name(), Recognised: m.Kind, Notes: m.Notes, DecoderParams: m.Spec.DecoderParams(), TotalParams: m.Spec.TotalParams()}
}
