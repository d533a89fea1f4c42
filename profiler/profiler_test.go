package profiler

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lathe/profiler/record"
)

// script is what fake sessions did, in order.
type script struct{ runs []run1 }

type run1 struct {
	side   int
	prompt bool
	past   int // tokens in the cache before the run
	ids    []int64
}

// fake is a session whose runs take a set time of a fake effort and are logged.
type fake struct {
	side     int
	log      *script
	length   int
	prepared []int64
	prompt   bool
	prefill  time.Duration
	fail     error
}

func (f *fake) Reset() { f.length = 0; f.prepared = nil }
func (f *fake) PreparePrefill(ids []int64) error {
	if f.length != 0 {
		return errors.New("prefill into a cache that is not empty")
	}
	f.prepared, f.prompt = append([]int64(nil), ids...), true
	return nil
}
func (f *fake) PrepareStep(id int64) error {
	f.prepared, f.prompt = []int64{id}, false
	return nil
}
func (f *fake) Run() error {
	if f.prepared == nil {
		return errors.New("nothing prepared")
	}
	f.log.runs = append(f.log.runs, run1{f.side, f.prompt, f.length, f.prepared})
	f.length += len(f.prepared)
	if f.prompt {
		for start := time.Now(); time.Since(start) < f.prefill; {
		}
	}
	f.prepared = nil
	return f.fail
}

func sides(n int) (*script, Session, []Session) {
	log := &script{}
	all := make([]Session, n+1)
	for i := range all {
		all[i] = &fake{side: i, log: log}
	}
	return log, all[0], all[1:]
}

var testPlan = Plan{
	PromptTokens: 5, GeneratedTokens: 4, PLPairs: 3, TLPairs: 10, RequestPairs: 3,
	Workload: record.Workload{Requests: []record.WorkloadRequest{
		{PromptTokens: 3, GeneratedTokens: 1, Chars: 4}, {PromptTokens: 8, GeneratedTokens: 3, Chars: 9}, {PromptTokens: 2, GeneratedTokens: 2, Chars: 0},
	}},
}

func TestTimeFollowsThePlan(t *testing.T) {
	log, base, cands := sides(2)
	var shares []float64
	got, err := Time(context.Background(), base, cands, Options{Plan: testPlan, Vocab: 50, Rand: rand.New(rand.NewPCG(1, 1)), Progress: func(s float64) { shares = append(shares, s) }})
	if err != nil {
		t.Fatal(err)
	}
	for c, g := range got.Timed {
		if len(g.PL) != 3 || len(g.TL) != 10 || len(g.Requests) != 3 {
			t.Fatalf("candidate %d has %d PL, %d TL and %d request pairs, want 3, 10 and 3", c, len(g.PL), len(g.TL), len(g.Requests))
		}
		for i, p := range g.TL {
			if want := 5 + i%4; p.Len != want {
				t.Errorf("TL pair %d is at cache length %d, want %d", i, p.Len, want)
			}
		}
		for i, p := range g.Requests {
			r := testPlan.Workload.Requests[i]
			for _, q := range []record.Request{p.Own, p.Partner} {
				if q.PromptTokens != r.PromptTokens || q.GeneratedTokens != r.GeneratedTokens || q.Chars != r.Chars || len(q.TL) != r.GeneratedTokens-1 || q.PL <= 0 {
					t.Errorf("request %d is %+v, want %+v", i, q, r)
				}
			}
		}
	}
	// Both candidates share the baseline's samples of a block.
	for i := range got.Timed[0].TL {
		if got.Timed[0].TL[i].PartnerNS != got.Timed[1].TL[i].PartnerNS {
			t.Fatalf("TL pair %d: the candidates have partners of %d and %d ns", i, got.Timed[0].TL[i].PartnerNS, got.Timed[1].TL[i].PartnerNS)
		}
	}
	if last := shares[len(shares)-1]; last != 1 {
		t.Errorf("progress ends at %g", last)
	}
	// Every side ran the same tokens at the same positions.
	tokens := map[int]int64{}
	for _, r := range log.runs {
		for i, id := range r.ids {
			if old, ok := tokens[r.past+i]; ok && old != id {
				t.Fatalf("position %d was fed %d and %d", r.past+i, old, id)
			}
			tokens[r.past+i] = id
		}
	}
}

// TestOrderIsRandomWithinBlocks: each side comes first about as often, each block
// has every side once, and PartnerFirst says what happened.
func TestOrderIsRandomWithinBlocks(t *testing.T) {
	log, base, cands := sides(1)
	plan := Plan{PromptTokens: 2, GeneratedTokens: 1, PLPairs: 400}
	got, err := Time(context.Background(), base, cands, Options{Plan: plan, Vocab: 9, Rand: rand.New(rand.NewPCG(2, 2))})
	if err != nil {
		t.Fatal(err)
	}
	runs := log.runs[len(log.runs)-800:]
	first := 0
	for i := range 400 {
		a, b := runs[2*i], runs[2*i+1]
		if a.side == b.side {
			t.Fatalf("block %d ran side %d twice", i, a.side)
		}
		if got.Timed[0].PL[i].PartnerFirst != (a.side == 0) {
			t.Fatalf("block %d began with side %d and partner_first is %v", i, a.side, got.Timed[0].PL[i].PartnerFirst)
		}
		if a.side == 0 {
			first++
		}
	}
	if first != 200 {
		t.Errorf("the baseline came first in %d of 400 blocks, want half", first)
	}
}

// TestOrdersAreBalancedByKind: of two blocks in a row each side is first in one, in
// prefills and in steps alike, however many steps a block has.
func TestOrdersAreBalancedByKind(t *testing.T) {
	for _, generated := range []int{1, 2, 3} {
		_, base, cands := sides(1)
		plan := Plan{PromptTokens: 2, GeneratedTokens: generated, PLPairs: 100, TLPairs: 100 * generated}
		got, err := Time(context.Background(), base, cands, Options{Plan: plan, Vocab: 9, Rand: rand.New(rand.NewPCG(5, 5))})
		if err != nil {
			t.Fatal(err)
		}
		for name, pairs := range map[string][]record.StepPair{"prefill": got.Timed[0].PL, "step": got.Timed[0].TL} {
			for i := 0; i+1 < len(pairs); i += 2 {
				if pairs[i].PartnerFirst == pairs[i+1].PartnerFirst {
					t.Fatalf("%d steps a block: %ss %d and %d are in the same order", generated, name, i, i+1)
				}
			}
		}
	}
}

func TestTimesAreThoseOfTheRightSide(t *testing.T) {
	_, base, cands := sides(2)
	cands[0].(*fake).prefill = 4 * time.Millisecond
	base.(*fake).prefill = 2 * time.Millisecond
	got, err := Time(context.Background(), base, cands, Options{Plan: Plan{PromptTokens: 1, PLPairs: 5}, Vocab: 9, Rand: rand.New(rand.NewPCG(3, 3))})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Timed[0].PL {
		slow, fast := got.Timed[0].PL[i], got.Timed[1].PL[i]
		if slow.NS < 4e6 || slow.PartnerNS < 2e6 || fast.PartnerNS != slow.PartnerNS || fast.NS >= slow.PartnerNS {
			t.Errorf("pair %d: %+v and %+v; want 4 ms, 2 ms, and the fast one below both", i, slow, fast)
		}
	}
}

func TestCancelledTimingKeepsWhatItHas(t *testing.T) {
	_, base, cands := sides(1)
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	got, err := Time(ctx, base, cands, Options{Plan: Plan{PromptTokens: 1, PLPairs: 50}, Vocab: 9, Rand: rand.New(rand.NewPCG(4, 4)), Progress: func(float64) {
		if n++; n == 7 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(got.Timed[0].PL) != 7 {
		t.Errorf("got %d pairs and %v, want 7 and a cancelled error", len(got.Timed[0].PL), err)
	}
}

func TestARunThatFailsEndsTheTiming(t *testing.T) {
	_, base, cands := sides(1)
	broken := errors.New("broken")
	cands[0].(*fake).fail = broken
	if _, err := Time(context.Background(), base, cands, Options{Plan: testPlan, Vocab: 9, Rand: rand.New(rand.NewPCG(5, 5))}); !errors.Is(err, broken) || !errors.As(err, new(*SideError)) {
		t.Errorf("got %v", err)
	}
}

func TestPlansThatCannotBeFollowed(t *testing.T) {
	for _, tc := range []struct {
		plan Plan
		want string
	}{
		{Plan{}, "times nothing"},
		{Plan{PLPairs: -1}, "negative"},
		{Plan{PLPairs: 1}, "0 prompt tokens"},
		{Plan{TLPairs: 1, PromptTokens: 1}, "0 generated tokens"},
		{Plan{RequestPairs: 1}, "has 0 requests"},
	} {
		if err := tc.plan.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q in it", tc.plan, err, tc.want)
		}
	}
	_, base, _ := sides(0)
	if _, err := Time(context.Background(), base, nil, Options{Plan: testPlan, Vocab: 9, Rand: rand.New(rand.NewPCG(6, 6))}); err == nil {
		t.Error("a timing without candidates gave no error")
	}
}

func TestPlanLengths(t *testing.T) {
	if got := testPlan.MaxLen(); got != 11 { // the request of 8 and 3
		t.Errorf("MaxLen is %d, want 11", got)
	}
	if got := testPlan.PromptLens(); len(got) != 4 || got[0] != 5 {
		t.Errorf("PromptLens is %v, want 5, 3, 8 and 2", got)
	}
	if got := testPlan.blocks(); got != 3 {
		t.Errorf("%d blocks, want 3", got)
	}
	if got := (Plan{PromptTokens: 1, GeneratedTokens: 4, TLPairs: 9}).blocks(); got != 3 {
		t.Errorf("9 token pairs at 4 a prompt take %d blocks, want 3", got)
	}
}

func TestFingerprint(t *testing.T) {
	h := Fingerprint("1.32.0", "cpu", true)
	if h.Cores < 1 || h.OS == "" || h.Arch == "" || h.LibraryVersion != "1.32.0" || !h.HugePages {
		t.Errorf("fingerprint %+v", h)
	}
	if a, b := h.Hash(), Fingerprint("1.32.0", "cpu", true).Hash(); a != b {
		t.Error("two fingerprints of one machine differ")
	}
}
