// Package hub fetches a model's folder from Hugging Face's hub into the cache that
// transformers and its kin share, and finds it there again without the network.
//
// It takes what package hf and a tokenizer read, and nothing else: config.json,
// weights as safetensors, tokenizer files. The transfer is go-huggingface's. What is
// here is what that leaves open: that a file came whole, that a name from the network
// stays within the cache, what there is without the network, and errors that say what
// to do. It reads no environment: whoever calls it passes a token and an endpoint.
package hub

import (
	"fmt"
	"regexp"
	"strings"
)

// Prefix marks the name of a model of the hub where a folder may stand too.
const Prefix = "hf:"

// DefaultRevision is what a name without a revision means.
const DefaultRevision = "main"

// Reference names a model of the hub.
type Reference struct {
	ID       string // organisation/name, or a name alone
	Revision string // branch, tag or commit
}

// String writes what Parse reads.
func (r Reference) String() string {
	if r.Revision == DefaultRevision {
		return Prefix + r.ID
	}
	return Prefix + r.ID + "@" + r.Revision
}

// maxID bounds a name, far above any there is.
const maxID = 200

var (
	// The hub's rule for names (huggingface_hub, validate_repo_id): letters, digits, and
	// - _ . within them, neither -- nor .. anywhere.
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?(?:/[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)?$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?$`)
)

// Parse reads hf:name, hf:organisation/name and either with @revision.
func Parse(s string) (Reference, error) {
	name, ok := strings.CutPrefix(s, Prefix)
	if !ok {
		return Reference{}, fmt.Errorf("hub: %q does not begin with %s", s, Prefix)
	}
	id, revision, given := strings.Cut(name, "@")
	if !given {
		revision = DefaultRevision
	}
	odd := func(s string) bool {
		return len(s) > maxID || strings.Contains(s, "..") || strings.Contains(s, "--") || strings.Contains(s, "//")
	}
	if !idPattern.MatchString(id) || odd(id) {
		return Reference{}, fmt.Errorf("hub: %q is no name of a model: want %sname or %sorganisation/name, with @revision or without", s, Prefix, Prefix)
	}
	if !revisionPattern.MatchString(revision) || len(revision) > maxID || strings.Contains(revision, "..") || strings.Contains(revision, "//") {
		return Reference{}, fmt.Errorf("hub: %q: %q is no revision: want a branch, a tag or a commit", s, revision)
	}
	return Reference{id, revision}, nil
}
