package tokenizer

// endings are names of tokens that end a text, as vocabularies in use have them.
var endings = []string{EndOfText, "<|end_of_text|>", "</s>", "<eos>"}

// Ending is the id of the special token that ends a text or document, of those by
// usual names; ok is false where there is none.
func (t *Tokenizer) Ending() (id int, ok bool) {
	for _, name := range endings {
		if id, ok := t.Special(name); ok {
			return id, true
		}
	}
	return 0, false
}
