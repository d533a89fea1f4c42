package proxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/search"
)

// Proxy is a search.Proxy that says how it was validated.
type Proxy interface {
	search.Proxy
	Evidence() Evidence
}

// Predictor is a proxy that knows how uncertain it is; Fitted is one.
type Predictor interface {
	Predict(arch.Spec) (mean, sd float64)
}

// Names are the proxies that New makes.
var Names = []string{"decoder_params", "total_params", "fitted"}

// CheckName reports a name that is none of Names.
func CheckName(name string) error {
	if slices.Contains(Names, name) {
		return nil
	}
	meant := "known are " + strings.Join(Names, ", ")
	if n := arch.Nearest(name, Names); n != "" {
		meant = "did you mean " + n + "?"
	}
	return fmt.Errorf("proxy: unknown proxy %q: %s", name, meant)
}

// New makes a proxy by name, validated on the table by cross-validation; fitted
// learns from the whole of it. Without a table the counts are made all the same, and
// their evidence says that there is none; fitted is not. rng deals rows out to folds
// and draws the bootstrap's samples.
func New(name string, t *Table, rng *rand.Rand) (Proxy, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	evidence := unvalidated(name)
	if t != nil {
		v, err := Validate(t, []string{name}, Plan{}, rng)
		if err != nil {
			return nil, err
		}
		evidence = v[0]
	}
	switch {
	case name != "fitted":
		return counted{count(name), evidence}, nil
	case t == nil:
		return nil, fmt.Errorf("proxy: fitted without a table of trained architectures: %w", ErrNothingToLearn)
	}
	f, err := Fit(t)
	if err != nil {
		return nil, err
	}
	f.evidence = evidence
	return f, nil
}

// count is a proxy that needs no table.
func count(name string) search.Proxy {
	if name == "total_params" {
		return TotalParams{}
	}
	return search.DecoderParams{}
}

// learn is a proxy by name that has seen the rows of t and no others.
func learn(name string, t *Table, g target) (search.Proxy, error) {
	if name == "fitted" {
		return fit(t, g)
	}
	return count(name), nil
}
