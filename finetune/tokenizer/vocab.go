package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
)

// maxID bounds the ids of a vocabulary, which are rows of a table: the largest in
// use have a quarter of a million.
const maxID = 1<<21 - 1

// entry is a token of a file, and its id there.
type entry struct {
	token string
	id    int
}

func sortEntries(all []entry) {
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.token, b.token) })
}

// owners returns which token has each id, or the first that cannot have its.
func owners(all []entry) ([]string, error) {
	size := 0
	for _, e := range all {
		if e.token == "" {
			return nil, fmt.Errorf("the token of id %d is empty", e.id)
		}
		if e.id < 0 || e.id > maxID {
			return nil, fmt.Errorf("token %q has id %d: want 0 to %d", e.token, e.id, maxID)
		}
		size = max(size, e.id+1)
	}
	owner := make([]string, size)
	for _, e := range all {
		if o := owner[e.id]; o != "" && o != e.token {
			return nil, fmt.Errorf("tokens %q and %q have one id, %d", o, e.token, e.id)
		}
		owner[e.id] = e.token
	}
	return owner, nil
}
