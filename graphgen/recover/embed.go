package recover

import (
	"lathe/graphgen"
)

// checkWords holds the one embedding that a stream begins with against the ids.
func (w *walker) checkWords() error {
	if w.words.cols != w.dModel {
		return notDecoder("the embedding %q is [%d %d], and the LM head takes %d", w.words.table.name, w.words.rows, w.words.cols, w.dModel)
	}
	end, biases, err := w.g.resolve(w.words.node.Input[1])
	if err != nil {
		return err
	}
	if end != graphgen.InputIDs || len(biases) > 0 {
		return notDecoder("the embedding %q is looked up by %s, and not by %s", w.words.table.name, w.g.describe(end), graphgen.InputIDs)
	}
	return nil
}

// checkBoth tells the embedding of words from that of positions.
func (w *walker) checkBoth(one, two *embedding) error {
	end, _, err := w.g.resolve(one.node.Input[1])
	if err != nil {
		return err
	}
	w.words, w.places = one, two
	if end != graphgen.InputIDs {
		w.words, w.places = two, one
	}
	if err := w.checkWords(); err != nil {
		return err
	}
	if w.places.cols != w.dModel {
		return notDecoder("the embedding of positions %q is [%d %d], and the LM head takes %d", w.places.table.name, w.places.rows, w.places.cols, w.dModel)
	}
	return w.checkPlaces()
}

// checkPlaces: the positions that are looked up count the tokens, padding left out
// where that is given.
func (w *walker) checkPlaces() error {
	for _, of := range []scene{padded, full} {
		r, err := w.g.start(of)
		if err != nil {
			return err
		}
		s := r.scene
		ids, err := r.value(w.places.node.Input[1])
		if err != nil {
			return notDecoder("the positions: %w", err)
		}
		right := len(ids.Data)%s.rows == 0 && (len(ids.Data) == s.batch*s.rows || len(ids.Data) == s.rows)
		for i, v := range ids.Data {
			right = right && v == float64(s.position(i/s.rows, i%s.rows))
		}
		switch {
		case right:
			return nil
		case of == full:
			return notDecoder("the positions of %d tokens behind %d are %v", s.rows, s.past, ids.Data)
		}
	}
	return nil
}
