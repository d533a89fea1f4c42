package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"lathe/profiler/nightly"
	"lathe/profiler/store"
)

// readNights are all nights of a store, of all machines, in order.
func (a *app) readNights(ctx context.Context, st *store.Store) ([]nightly.Night, error) {
	all, err := st.Nights(ctx, "")
	if err != nil {
		return nil, err
	}
	return parseNights(st, all)
}

func parseNights(st *store.Store, all []store.Night) (out []nightly.Night, err error) {
	out = make([]nightly.Night, len(all))
	for i, n := range all {
		if out[i], err = nightly.Parse(n.Body); err != nil {
			return nil, fmt.Errorf("%s: night %d: %w", st.Path(), n.Seq, err)
		}
		out[i].Seq = n.Seq
	}
	return out, nil
}

// keep stores the night, with copies of the files of new references, and removes what the
// history is to keep no longer.
func (r *nightRun) keep(ctx context.Context) error {
	for i, t := range r.things {
		if r.night.Things[i].IsReference {
			at, err := r.keepCopy(ctx, t)
			if err != nil {
				return err
			}
			r.night.Things[i].Copy = at
		}
	}
	r.night.ElapsedMS = r.elapsed().Milliseconds()
	body, err := json.Marshal(r.night)
	if err != nil {
		return err
	}
	err = r.st.Update(ctx, func(tx *store.Tx) error {
		var err error
		if r.night.Seq, _, err = tx.AddNight(store.Night{Created: r.night.Time, Machine: r.night.Scope.Machine(), Body: body}); err != nil {
			return err
		}
		var old []int64
		var samples []string
		old, samples = retain(append(slices.Clone(r.history), r.night), r.cfg.Nightly.Keep, r.cfg.Nightly.KeepSamples)
		if err := tx.DeleteNights(old); err != nil {
			return err
		}
		return tx.DeleteRecords(samples)
	})
	if err != nil {
		return err
	}
	return r.dropCopies(ctx)
}

// forget removes the raw samples of a night that is not stored.
func (r *nightRun) forget(ctx context.Context) error {
	r.opened.keeps = false
	var samples []string
	for _, t := range r.things {
		samples = append(samples, recordsOf(t.task.Sessions)...)
	}
	if len(samples) == 0 {
		return nil
	}
	return r.st.Update(ctx, func(tx *store.Tx) error { return tx.DeleteRecords(samples) })
}

// recordsOf are the IDs of sessions' raw samples.
func recordsOf(sessions []nightly.Session) (ids []string) {
	for _, s := range sessions {
		ids = append(ids, s.Records...)
	}
	return ids
}

// retain divides nights of one scope: the places of those that go, and the raw samples that
// go. The last so many stay, and what comparisons to come rest on: the
// references of all things, with the nights that add to them. 0 keeps all.
func retain(nights []nightly.Night, keep, keepSamples int) (old []int64, samples []string) {
	needed := map[int64]bool{}
	for _, seq := range nightly.Needed(nights) {
		needed[seq] = true
	}
	for i, n := range nights {
		age := len(nights) - i // 1 is tonight's
		gone := keep > 0 && age > keep && !needed[n.Seq]
		if gone {
			old = append(old, n.Seq)
		}
		// Once: those of the nights before went when they were of this age. Several at a
		// time go where the setting was lowered.
		if gone || keepSamples > 0 && age > keepSamples {
			for _, t := range n.Things {
				samples = append(samples, recordsOf(t.Sessions)...)
			}
		}
	}
	return old, samples
}

// copyPrefix begins the names of this store's folders in nightly.copies, where several stores
// may keep theirs. Of nothing else there is anything removed.
func (r *nightRun) copyPrefix() string {
	path := mustAbs(r.st.Path())
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:4]) + "-"
}

// dropCopies removes copies of this store's that are no longer any night's reference.
func (r *nightRun) dropCopies(ctx context.Context) error {
	if r.cfg.Nightly.Copies == "" {
		return nil
	}
	all, err := r.readNights(ctx, r.st)
	if err != nil {
		return err
	}
	// Only of the nights whose reference still counts: a later one of the same thing and
	// scope takes its place.
	scopes := map[string][]nightly.Night{}
	for _, n := range all {
		scopes[n.Scope.Key()] = append(scopes[n.Scope.Key()], n)
	}
	used := map[string]bool{}
	for _, nights := range scopes {
		for _, n := range nights {
			for _, t := range n.Things {
				if made, _ := nightly.ReferenceOf(nights, t.Name); made != nil {
					if c := made.Thing(t.Name).Copy; c != "" {
						used[filepath.Base(filepath.Dir(c))] = true
					}
				}
			}
		}
	}
	entries, err := os.ReadDir(r.cfg.Nightly.Copies)
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	ours := regexp.MustCompile("^" + r.copyPrefix() + "[0-9a-f]{16}$")
	for _, e := range entries {
		if e.IsDir() && ours.MatchString(e.Name()) && !used[e.Name()] {
			if err := os.RemoveAll(filepath.Join(r.cfg.Nightly.Copies, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
