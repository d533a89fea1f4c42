package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Recorder takes down what happens, entry by entry, in order. An entry that
// Record returned nil for must survive a kill of the process: the driver does
// not go on before. The store implements it; to the store an entry is opaque
// JSON (json.Marshal of the Entry).
type Recorder interface {
	Record(Entry) error
}

// RecorderFunc makes a function a Recorder.
type RecorderFunc func(Entry) error

// Record calls f.
func (f RecorderFunc) Record(e Entry) error { return f(e) }

// FrontsOnly leaves evaluations out of a journal, for searches whose evaluations
// are predictions: they are cheap to make again, and enumerating a space would
// write tens of thousands. A search recorded so is resumed by running it again.
func FrontsOnly(r Recorder) Recorder {
	return RecorderFunc(func(e Entry) error {
		if e.Evaluation != nil {
			return nil
		}
		return r.Record(e)
	})
}

// Entry is one line of a journal: exactly one of its fields is set.
type Entry struct {
	Begin      *Begin      `json:"begin,omitempty"`
	Evaluation *Evaluation `json:"evaluation,omitempty"`
	Iteration  *Iteration  `json:"iteration,omitempty"`
	End        *End        `json:"end,omitempty"`
}

// JournalVersion is the version of the entries written here. The first had points of
// homogeneous spaces only, and the two objectives; it is not read.
const JournalVersion = 2

// Begin heads a journal with all that decides which points a search proposes and
// what their figures mean. A search is resumed only under an equal head.
type Begin struct {
	Version  int    `json:"version"`
	Method   string `json:"method"`
	Seed     uint64 `json:"seed"`
	Space    string `json:"space_hash"`
	Build    string `json:"build"` // or builds
	Baseline string `json:"baseline"`
	Proxy    string `json:"proxy"`
	// Objectives are what values are of, in their order, and the limits on them.
	Objectives string `json:"objectives"`
	Evaluator  string `json:"evaluator"`
}

// Iteration is written when an iteration's batch is evaluated. A partial one
// was cut short by a budget or a cancellation; when the search is resumed the
// whole one follows, so that the last entry of each number counts.
type Iteration struct {
	Number      int          `json:"number"`      // from 1
	Evaluations int          `json:"evaluations"` // in all, up to here
	Dropped     int          `json:"dropped"`     // of these
	Partial     bool         `json:"partial,omitempty"`
	Front       []FrontPoint `json:"front"` // from the best in the first objective to the worst
}

// FrontPoint is one point of an iteration's front, as a plot needs it.
type FrontPoint struct {
	Genome Genome          `json:"-"`
	Point  json.RawMessage `json:"point"` // as Space.Describe has it
	Values []float64       `json:"values"`
}

// End is written when a search stops. A journal may have several, one for each
// time that it was resumed; a search that was killed has none.
type End struct {
	Status      Status       `json:"status"`
	Iterations  int          `json:"iterations"`
	Evaluations int          `json:"evaluations"`
	Front       []FrontPoint `json:"front"`
}

// Journal is what a journal's entries say, put together. The zero value is a
// journal with nothing in it.
type Journal struct {
	Begin       *Begin
	Evaluations []Evaluation // in the order recorded
	Iterations  []Iteration  // by number, without gaps; only the last may be partial
	End         *End         // of the last run, nil if it was killed
}

// Add takes the next entry in. Its errors name what is wrong with the entry;
// the journal is then unchanged.
func (j *Journal) Add(e Entry) error {
	set := 0
	for _, has := range []bool{e.Begin != nil, e.Evaluation != nil, e.Iteration != nil, e.End != nil} {
		if has {
			set++
		}
	}
	switch {
	case set != 1:
		return fmt.Errorf("search: journal entry has %d of begin, evaluation, iteration and end, want one", set)
	case j.Begin == nil && e.Begin == nil:
		return errors.New("search: journal does not start with a begin entry")
	case e.Begin != nil:
		return j.addBegin(*e.Begin)
	case e.Evaluation != nil:
		return j.addEvaluation(*e.Evaluation)
	case e.Iteration != nil:
		return j.addIteration(*e.Iteration)
	}
	end := *e.End
	j.End = &end
	return nil
}

func (j *Journal) addBegin(b Begin) error {
	if b.Version != JournalVersion {
		return fmt.Errorf("search: journal has version %d, this lathe reads version %d: start a new search", b.Version, JournalVersion)
	}
	if j.Begin == nil {
		j.Begin = &b
		return nil
	}
	return j.Begin.match(b)
}

func (j *Journal) addEvaluation(e Evaluation) error {
	switch {
	case e.Dropped == "" && len(e.Values) == 0:
		return fmt.Errorf("search: journal has no values of %.200s and no reason why", e.Point)
	case e.Intervals != nil && len(e.Intervals) != len(e.Values):
		return fmt.Errorf("search: journal has %d values of %.200s and %d intervals", len(e.Values), e.Point, len(e.Intervals))
	}
	j.Evaluations = append(j.Evaluations, e)
	j.End = nil
	return nil
}

func (j *Journal) addIteration(it Iteration) error {
	n := len(j.Iterations)
	switch {
	case n > 0 && j.Iterations[n-1].Partial && it.Number == n:
		j.Iterations[n-1] = it
	case it.Number == n+1 && (n == 0 || !j.Iterations[n-1].Partial):
		j.Iterations = append(j.Iterations, it)
	default:
		return fmt.Errorf("search: journal has iteration %d after %d", it.Number, n)
	}
	j.End = nil
	return nil
}

// First is the journal of the first n evaluations alone: what a search had recorded
// before it was given a larger budget. It shares its evaluations with j. It panics where
// there are fewer.
func (j *Journal) First(n int) *Journal {
	if n == len(j.Evaluations) {
		return j
	}
	f := &Journal{Begin: j.Begin, Evaluations: j.Evaluations[:n:n]}
	for _, it := range j.Iterations {
		if it.Evaluations <= n { // those after it were cut short, and are whole since
			f.Iterations = append(f.Iterations, it)
		}
	}
	return f
}

// Whole is how many of the iterations were not cut short.
func (j *Journal) Whole() int {
	n := len(j.Iterations)
	if n > 0 && j.Iterations[n-1].Partial {
		n--
	}
	return n
}

// match names the first thing in which the search at hand, b, is not the one
// that the journal is of.
func (j *Begin) match(b Begin) error {
	for _, f := range []struct{ what, have, want string }{
		{"method", j.Method, b.Method},
		{"seed", fmt.Sprint(j.Seed), fmt.Sprint(b.Seed)},
		{"build", j.Build, b.Build},
		{"space", j.Space, b.Space},
		{"baseline", j.Baseline, b.Baseline},
		{"quality proxy", j.Proxy, b.Proxy},
		{"list of objectives", j.Objectives, b.Objectives},
		{"evaluator", j.Evaluator, b.Evaluator},
	} {
		if f.have != f.want {
			return fmt.Errorf("search: the journal's %s is %s, this search's is %s: %w", f.what, f.have, f.want, ErrOtherSearch)
		}
	}
	return nil
}

// ErrOtherSearch is wrapped by the error for a journal of another search.
var ErrOtherSearch = errors.New("resume it as it was started, or start a new search")

// ReadJournal reads entries as json.Encoder writes them, one after another. On
// an error it returns what came before it.
func ReadJournal(r io.Reader) (*Journal, error) {
	j := new(Journal)
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var e Entry
		if err := dec.Decode(&e); err == io.EOF {
			return j, nil
		} else if err != nil {
			return j, fmt.Errorf("search: journal entry %d: %w", n, err)
		}
		if err := j.Add(e); err != nil {
			return j, fmt.Errorf("search: journal entry %d: %w", n, err)
		}
	}
}

// frontPoints are a front as it is recorded.
func frontPoints(s Space, front []Evaluation) []FrontPoint {
	points := make([]FrontPoint, len(front))
	for i, e := range front {
		points[i] = FrontPoint{e.Genome, s.Describe(e.Genome), e.Values}
	}
	return points
}

// parse finds the genomes of everything that was read.
func (j *Journal) parse(s Space) (err error) {
	fronts := [][]FrontPoint{}
	for _, it := range j.Iterations {
		fronts = append(fronts, it.Front)
	}
	if j.End != nil {
		fronts = append(fronts, j.End.Front)
	}
	for i := range j.Evaluations {
		e := &j.Evaluations[i]
		if e.Genome, err = s.Parse(e.Point); err != nil {
			return fmt.Errorf("search: journal's evaluation %d: %w", i+1, err)
		}
	}
	for _, front := range fronts {
		for i := range front {
			if front[i].Genome, err = s.Parse(front[i].Point); err != nil {
				return fmt.Errorf("search: journal's front: %w", err)
			}
		}
	}
	return nil
}

// sameFront compares points and values.
func sameFront(a, b []FrontPoint) bool {
	return slices.EqualFunc(a, b, func(p, q FrontPoint) bool {
		return p.Genome == q.Genome && slices.Equal(p.Values, q.Values)
	})
}

func (it Iteration) equal(o Iteration) bool {
	return it.Number == o.Number && it.Evaluations == o.Evaluations && it.Dropped == o.Dropped &&
		it.Partial == o.Partial && sameFront(it.Front, o.Front)
}
