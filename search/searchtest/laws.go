package searchtest

import (
	"context"
	"fmt"
	"slices"

	"lathe/search"
)

// TB is what Obey needs of a testing.TB, which rapid's has too.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Obey runs a method twice and fails unless it keeps what search.Method asks of all:
// every point that it proposes is in the space, new, and there once; an end has a
// reason; and the second run goes as the first one. A space that is said to be exhausted
// must be. It returns the first run's result.
func Obey(t TB, p *search.Problem, m search.Method, e search.Evaluator, s search.Settings) *search.Result {
	t.Helper()
	once := func() *search.Result {
		res, err := (&search.Driver{Problem: p, Method: spy{m, p.Space, t}, Evaluator: e, Settings: s}).Run(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", m.Name(), err)
		}
		return res
	}
	res, again := once(), once()
	if !slices.EqualFunc(res.Evaluations, again.Evaluations, search.Evaluation.Equal) || res.Status != again.Status {
		t.Fatalf("%s: the same seed went another way the second time", m.Name())
	}
	if n, exact := p.Space.Count(); exact && res.Status.Reason == search.SpaceExhausted && len(res.Evaluations) != int(n) {
		t.Fatalf("%s: %v, but %d of %.0f points were evaluated", m.Name(), res.Status, len(res.Evaluations), n)
	}
	return res
}

// spy checks each batch.
type spy struct {
	search.Method
	space search.Space
	t     TB
}

func (s spy) Propose(h *search.History) ([]search.Genome, search.Status) {
	batch, why := s.Method.Propose(h)
	mine := map[search.Genome]bool{}
	for _, g := range batch {
		fault := ""
		switch {
		case !s.space.Contains(g):
			fault = "it is not in the space"
		case h.Seen(g):
			fault = "it was evaluated before"
		case mine[g]:
			fault = "it is in the batch twice"
		}
		if fault != "" {
			s.t.Fatalf("%s proposed %v: %s", s.Name(), g, fault)
		}
		mine[g] = true
	}
	if len(batch) == 0 && why.Reason == "" {
		s.t.Fatalf("%s proposed nothing and gave no reason", s.Name())
	}
	return batch, why
}

// Counted is the evaluator of problems whose objectives are all counted.
func Counted(p *search.Problem) search.Evaluator { return counted{p} }

type counted struct{ problem *search.Problem }

func (counted) Name() string { return "counted" }

func (c counted) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, o := range c.problem.Objectives {
		if o.Count == nil {
			return fmt.Errorf("searchtest: objective %s is not counted", o.Name)
		}
	}
	values := make([]float64, len(c.problem.Objectives))
	for _, g := range points {
		if err := emit(search.Evaluation{Genome: g, Values: values, Kind: search.Exact}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
