package nightly

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

func scope() Scope {
	c, err := arch.ParseCandidate("gpt2-l2-d64-f64-h2")
	if err != nil {
		panic(err)
	}
	return Scope{Host: record.Host{CPUModel: "CPU", Cores: 2, MemoryBytes: 8 << 30, Kernel: "6.1", LibraryVersion: "1.32.0", Provider: "cpu", OS: "linux", Arch: "amd64"},
		Baseline: record.Of(c), PromptTokens: 64, GeneratedTokens: 16, Metrics: []string{"pl", "tl"}}
}

// nightOf is a night of one thing at a ratio to the baseline.
func nightOf(rng *rand.Rand, seq int64, ratio float64, verdict string) Night {
	s := scope()
	return Night{Seq: seq, Time: time.Unix(1e9+86400*seq, 0).UTC(), Scope: s, MinEffect: 0.03, Verdict: verdict, Things: []Thing{{
		Name: "deployed", Subject: s.Baseline, GraphHash: "g", Sessions: draw(rng, 4, ratio, 0.005, 0.002), IsReference: verdict == Reference, Verdict: verdict,
	}}}
}

func TestScopes(t *testing.T) {
	a := scope()
	b := a
	b.Host.Kernel, b.Host.LibraryVersion, b.Host.Governor = "6.2", "1.33.0", "performance"
	if a.Key() != b.Key() || len(a.Differs(b)) != 0 {
		t.Errorf("what the owner changes makes another machine: %q", a.Differs(b))
	}
	b.Host.Cores, b.PromptTokens, b.WorkloadHash, b.Workload = 4, 32, "0123456789", "typing"
	want := []string{"cores: 4 there, 2 here", "prompt tokens: 32 there, 64 here", "workload: typing 01234567 there,  here"}
	want[2] = "workload: typing 01234567 there, none here"
	if got := a.Differs(b); a.Key() == b.Key() || !slices.Equal(got, want) {
		t.Errorf("differs by %q, want %q", got, want)
	}
}

// TestReferenceSettles: the nights after it that are the same add to it, as long as nothing
// changes, and not without end.
func TestReferenceSettles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	nights := []Night{nightOf(rng, 1, 0.7, Reference), nightOf(rng, 2, 0.8, Same), nightOf(rng, 3, 0.8, Reference)}
	nights = append(nights, nightOf(rng, 4, 0.8, Same), nightOf(rng, 5, 0.9, Slower), nightOf(rng, 6, 0.8, Same))
	nights[5].Scope.Host.LibraryVersion = "1.33.0"
	for i := range int64(20) {
		nights = append(nights, nightOf(rng, 7+i, 0.8, Same))
	}
	made, sessions := ReferenceOf(nights, "deployed")
	if made == nil || made.Seq != 3 || len(sessions) != 1+Settling {
		t.Fatalf("%+v, %d nights", made, len(sessions))
	}
	if got := CausesOf(made, &nights[5], "deployed"); len(got) != 1 || got[0].What != CauseLibrary || got[0].To != "1.33.0" {
		t.Errorf("causes %+v", got)
	}
	if made, _ := ReferenceOf(nights, "other"); made != nil {
		t.Errorf("a thing that is not there has the reference %+v", made)
	}
}

func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	var nights []Night
	for i := range int64(30) {
		ratio := 0.8
		if i >= 20 {
			ratio = 0.84
		}
		nights = append(nights, nightOf(rng, i+1, ratio, Same))
	}
	rows := Rows(nights)
	if len(rows) != 30 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows {
		if marked := r.Change != 0; marked != (i == 20) || r.Metric != "tl" || !(r.Low < r.Ratio && r.Ratio < r.High) {
			t.Errorf("row %+v", r)
		}
	}
	if c := rows[20].Change; c < 1.03 || c > 1.07 {
		t.Errorf("the level changed by %v, want 1.05", c)
	}
}

// FuzzParse: no body panics, and what is taken is printed and read to the same.
func FuzzParse(f *testing.F) {
	body, err := json.Marshal(nightOf(rand.New(rand.NewPCG(1, 4)), 1, 0.8, Reference))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"min_effect":0.03,"things":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "nightly: ") {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("%v of what was printed", err)
		}
		Rows([]Night{n, n})
		ReferenceOf([]Night{n}, n.Things[0].Name)
	})
}
