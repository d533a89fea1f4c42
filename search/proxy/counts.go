package proxy

import (
	"lathe/graphgen/arch"
	"lathe/search"
)

// TotalParams is the number of all parameters, embeddings included: what is mostly
// quoted as a model's size. It counts what hardly helps quality in small models, and
// is here to be compared with.
type TotalParams struct{}

// Name is the count's name in every table and file.
func (TotalParams) Name() string { return "total_params" }

// Score is the count.
func (TotalParams) Score(s arch.Spec) float64 { return float64(s.TotalParams()) }

// counted is a proxy that learns nothing, with what is known of it.
type counted struct {
	search.Proxy
	evidence Evidence
}

// Evidence implements Proxy.
func (c counted) Evidence() Evidence { return c.evidence }
