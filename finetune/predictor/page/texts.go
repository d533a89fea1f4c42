package page

import "slices"

// texts gives each typing session a Completer of its own, for as long as there are enough.
//
// Note: one Completer for all would be right too, since it goes back to what a text has in
// common with the last one. Two windows in which somebody types in turn would then read
// their whole texts at every keystroke. Without a bound, each window that was ever opened
// would hold a cache of its own.
type texts struct {
	free []Completer
	kept []kept // the last used at the end
}

type kept struct {
	session string
	c       Completer
}

func newTexts(all []Completer) texts { return texts{free: slices.Clone(all)} }

// of is the session's Completer: its own, one that is free, or that of the session that
// was quiet longest, whose text is read again if it goes on.
func (t *texts) of(session string) Completer {
	k := kept{session: session}
	if i := slices.IndexFunc(t.kept, func(k kept) bool { return k.session == session }); i >= 0 {
		k.c = t.kept[i].c
		t.kept = slices.Delete(t.kept, i, i+1)
	} else if n := len(t.free); n > 0 {
		k.c, t.free = t.free[n-1], t.free[:n-1]
	} else {
		k.c = t.kept[0].c
		t.kept = slices.Delete(t.kept, 0, 1)
	}
	t.kept = append(t.kept, k)
	return k.c
}
