package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
)

// maxID bounds the ids of a vocabulary, which are rows of a table: the largest in
// use have a quarter of a million.
const maxID = 1<<21 - 1

// maxToken bounds a token's bytes: merging one takes time that grows with its square.
// Spaces in runs are the longest in use, of some hundred.
const maxToken = 1 << 12

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
		if len(e.token) > maxToken {
			return nil, fmt.Errorf("token %.60q, id %d, has %d bytes: want %d at most", e.token, e.id, len(e.token), maxToken)
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
