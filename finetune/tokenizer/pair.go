package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ParsePair reads a vocabulary, a JSON object of tokens and their ids, and its
// merges, a line each. The names are for errors. Tokens that no merge makes, such
// as <|endoftext|>, are special.
func ParsePair(vocab, merges []byte, vocabName, mergesName string) (*Tokenizer, error) {
	f, err := readPair(vocab, merges, vocabName, mergesName)
	if err != nil {
		return nil, err
	}
	t, err := buildByteLevel(*f)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s and %s: %w", vocabName, mergesName, err)
	}
	t.fingerprint = fingerprint("pair", vocab, merges)
	return t, nil
}

func readPair(vocab, merges []byte, vocabName, mergesName string) (*byteLevelFile, error) {
	fail := func(name string, err error) (*byteLevelFile, error) {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	var ids map[string]int
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return fail(vocabName, explain(vocab, 0, err))
	}
	if len(ids) == 0 {
		return fail(vocabName, errors.New("no tokens: want a JSON object of tokens and ids"))
	}
	var list []merge
	made := make(map[string]bool, len(ids))
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return fail(fmt.Sprintf("%s:%d", mergesName, i+1), fmt.Errorf("%.60q: want two tokens with a space between them", line))
		}
		list = append(list, merge{left, right, func() string { return fmt.Sprintf("line %d", i+1) }})
		made[left+right] = true
	}
	var extra []added
	for token, id := range ids {
		if !made[token] && isName(token) {
			extra = append(extra, added{content: token, id: id, special: true})
		}
	}
	return &byteLevelFile{vocab: ids, merges: list, extra: extra, parts: []part{{pattern, "GPT-2"}}}, nil
}

// isName reports whether a token that no merge makes looks like a special token.
func isName(token string) bool {
	return len(token) > 2 && (token[0] == '<' && token[len(token)-1] == '>' || token[0] == '[' && token[len(token)-1] == ']')
}
