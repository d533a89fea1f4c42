package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // what git names its objects by
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// remoteFile is what the hub says of a file before it is fetched.
type remoteFile struct {
	name string
	etag string // which names its blob in the cache
	hash string // hex, of its content: SHA-256, or SHA-1 as git has it; else of no use
	size int64  // bytes
}

// Headers that the hub sends beside those of whatever store a file is kept in.
const (
	linkedETag = "X-Linked-Etag"
	linkedSize = "X-Linked-Size"
)

// etagPattern is a blob's name: whatever else a server sends must not become a path.
var etagPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// head asks for a file's size and hash.
//
// Note: go-huggingface asks too, and keeps the answer to itself. It takes a broken
// connection for the end of the file, so that the size has to be known here.
func head(ctx context.Context, o Options, url, name string) (remoteFile, error) {
	f := remoteFile{name: name}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return f, err
	}
	req.Header.Set("Accept-Encoding", "identity") // a size is of what will be stored
	if o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.Token)
	}
	// The hub answers for large files with a redirect to their store, and has the
	// linked headers on the redirect itself.
	linked, redirected := http.Header{}, false
	client := http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
		redirected = true
		for _, h := range []string{linkedETag, linkedSize} {
			if v := r.Response.Header.Get(h); v != "" {
				linked.Set(h, v)
			}
		}
		if len(via) > 10 {
			return fmt.Errorf("%d redirects", len(via))
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return f, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return f, fmt.Errorf("%s", resp.Status)
	}
	get := func(h string) string {
		if v := resp.Header.Get(h); v != "" {
			return v
		}
		return linked.Get(h)
	}
	if f.size = resp.ContentLength; get(linkedSize) != "" {
		if f.size, err = strconv.ParseInt(get(linkedSize), 10, 64); err != nil {
			return f, fmt.Errorf("its size is %q", get(linkedSize))
		}
	}
	if f.size < 0 {
		return f, fmt.Errorf("the server does not say how long it is")
	}
	if f.etag = strings.Trim(resp.Header.Get(linkedETag), `"`); f.etag == "" {
		f.etag = strings.Trim(resp.Header.Get("ETag"), `"`) // as go-huggingface has it
	}
	// A store's own name for the content may be any hash; the hub's is known.
	if f.hash = strings.Trim(get(linkedETag), `"`); f.hash == "" && !redirected {
		f.hash = f.etag
	}
	if !etagPattern.MatchString(f.etag) {
		return f, fmt.Errorf("the server names its content %q, which cannot be the name of a file", f.etag)
	}
	return f, nil
}

// errDamaged marks a transfer that gave something else than the hub has.
var errDamaged = errors.New("it was damaged on the way")

// blob is where go-huggingface puts a file's content.
func (f remoteFile) blob(modelDir string) string { return filepath.Join(modelDir, "blobs", f.etag) }

// check reports whether what came is what the hub has: as many bytes, and the same
// hash (SHA-256 of large files, git's SHA-1 of others), where it tells one.
func (f remoteFile) check(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != f.size {
		return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, info.Size(), f.size)
	}
	var sum hash.Hash
	switch {
	case hexOf(f.hash, sha256.Size):
		sum = sha256.New()
	case hexOf(f.hash, sha1.Size):
		sum = sha1.New() //nolint:gosec // as above
		fmt.Fprintf(sum, "blob %d\x00", f.size)
	default:
		return nil
	}
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.hash {
		return fmt.Errorf("%w: its hash is %s, where the hub has %s", errDamaged, got, f.hash)
	}
	return nil
}

func hexOf(s string, bytes int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == bytes
}
