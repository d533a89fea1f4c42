package decode

// Bindings is how many m keeps.
func (m *Model) Bindings() int { return len(m.plans) }

// MaxLoose is how many of them need not have been reserved.
const MaxLoose = maxLoose
