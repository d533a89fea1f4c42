package sample

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// The first message of seed 1, as it has always been.
func TestMailIsTheSameEverywhere(t *testing.T) {
	const want = `Good afternoon, Karin!

Thank you again for the checklist on the product launch. Beth was happy with it too. I will read it again before Thursday. Have a good trip to Oslo.

With many thanks,
Robert`
	if got := Mail(seeded(1)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var female = regexp.MustCompile(`\b(she|her|She|Her)\b`)
var male = regexp.MustCompile(`\b(he|him|his|He|Him|His)\b`)

// Messages are whole and agree with themselves.
func TestMailAgrees(t *testing.T) {
	rng := seeded(2)
	seen := map[string]bool{}
	for range 20000 {
		s := Mail(rng)
		seen[s] = true
		if strings.ContainsAny(s, "[]{}|") || strings.Contains(s, "  ") || strings.Contains(s, " \n") || strings.TrimSpace(s) != s {
			t.Fatalf("not written out:\n%s", s)
		}
		parts := strings.Split(s, "\n\n")
		if len(parts) != 3 || strings.Count(parts[2], "\n") != 1 {
			t.Fatalf("not of three parts:\n%s", s)
		}
		who := func(names []string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return regexp.MustCompile(`\b` + n + `\b`).MatchString(parts[1]) })
		}
		if len(seen) < 2000 { // slower
			if female.MatchString(s) && !who(women) || male.MatchString(s) && !who(men) {
				t.Fatalf("he or she is nobody:\n%s", s)
			}
			for i, thing := range things {
				if wrong := [2]string{" are ", " is "}[i/firstPlural]; strings.Contains(s, thing+wrong) {
					t.Fatalf("%s%s:\n%s", thing, wrong, s)
				}
			}
		}
	}
	if len(seen) < 19900 {
		t.Errorf("%d different messages of 20000", len(seen))
	}
}

func TestWrite(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(Write(&a, seeded(3), 10000), Write(&b, seeded(3), 10000)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) || a.Len() < 10000 || a.Len() > 11000 || !strings.HasSuffix(a.String(), Separator) {
		t.Errorf("%d and %d bytes", a.Len(), b.Len())
	}
	if err := Write(broken{}, seeded(3), 10); !errors.Is(err, errBroken) {
		t.Errorf("a writer's error becomes %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
