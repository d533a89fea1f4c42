package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
)

// Fingerprint is a hash of what the tokenizer was read from: where it is equal, so are
// the ids of every text. The same vocabulary read from another kind of file has
// another.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint }

func fingerprint(kind string, files ...[]byte) string {
	h := sha256.New()
	h.Write([]byte(kind))
	for _, f := range files {
		one := sha256.Sum256(f)
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
