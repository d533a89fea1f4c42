package search

import "lathe/graphgen/arch"

// BuildAxis is one thing about the way candidates run that a Joint space varies.
type BuildAxis struct {
	Gene Gene
	Set  func(b *arch.Build, value int) // value is an index into the gene's
}

// BuildList is the axis of whole builds: "build". Their names are its choices.
func BuildList(builds []arch.Build) BuildAxis {
	labels := make([]string, len(builds))
	for i, b := range builds {
		labels[i] = buildLabel(b)
	}
	return BuildAxis{Gene{Name: "build", Labels: labels}, func(b *arch.Build, i int) { *b = builds[i] }}
}

// buildLabel is a build's name; that of the default has no parts.
func buildLabel(b arch.Build) string {
	if name := b.Name(); name != "" {
		return name
	}
	return "default"
}

// PrecisionAxis is that of the linear layers' weights. The LM head goes with them,
// unless a HeadAxis comes after.
func PrecisionAxis(ps []arch.Precision) BuildAxis {
	return BuildAxis{Gene{Name: "precision", Labels: precisionLabels(ps)}, func(b *arch.Build, i int) { b.Precision, b.Head = ps[i], arch.Precision{} }}
}

// HeadAxis is the LM head's precision.
func HeadAxis(ps []arch.Precision) BuildAxis {
	return BuildAxis{Gene{Name: "head", Labels: precisionLabels(ps)}, func(b *arch.Build, i int) { b.Head = ps[i] }}
}

// EmbedAxis is the token embedding's precision.
func EmbedAxis(ps []arch.Precision) BuildAxis {
	return BuildAxis{Gene{Name: "embed", Labels: precisionLabels(ps)}, func(b *arch.Build, i int) { b.Embed = ps[i] }}
}

// FloatAxis is the type of all that is not quantized.
func FloatAxis(fs []arch.FloatType) BuildAxis {
	labels := make([]string, len(fs))
	for i, f := range fs {
		labels[i] = string(f)
	}
	return BuildAxis{Gene{Name: "float", Labels: labels}, func(b *arch.Build, i int) { b.Float = fs[i] }}
}

func precisionLabels(ps []arch.Precision) []string {
	labels := make([]string, len(ps))
	for i, p := range ps {
		labels[i] = p.String()
	}
	return labels
}

// DialectAxis is the operators that graphs are lowered to.
func DialectAxis(ds []arch.Dialect) BuildAxis {
	labels := make([]string, len(ds))
	for i, d := range ds {
		labels[i] = string(d)
	}
	return BuildAxis{Gene{Name: "dialect", Labels: labels}, func(b *arch.Build, i int) { b.Dialect = ds[i] }}
}

// ThreadsAxis is how many threads an operator has, in ascending order.
func ThreadsAxis(threads []int) BuildAxis {
	return BuildAxis{Gene{Name: "threads", Values: threads}, func(b *arch.Build, i int) { b.Threads = threads[i] }}
}
