package arch

// Candidate is a model and the way it is run: what is timed, and what is
// shipped.
type Candidate struct {
	Spec  Spec
	Build Build
}

// Normalized returns c with every default filled in.
func (c Candidate) Normalized() Candidate {
	return Candidate{Spec: c.Spec.Normalized(), Build: c.Build.For(c.Spec)}
}

// Equal reports whether c and o are the same model run in the same way.
func (c Candidate) Equal(o Candidate) bool {
	return c.Spec.Equal(o.Spec) && c.Build.For(c.Spec).Equal(o.Build.For(o.Spec))
}

// Validate reports the first thing that is wrong with the Spec, with the Build,
// or with the two together.
func (c Candidate) Validate() error {
	if err := c.Spec.Validate(); err != nil {
		return err
	}
	if err := c.Build.Validate(); err != nil {
		return err
	}
	return c.Build.CheckSpec(c.Spec)
}
