package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gomlx/go-huggingface/hub"
)

// Options say from where to fetch, and to where. The zero value is the public hub, the
// shared cache and no token.
type Options struct {
	CacheDir string // "": the one that transformers and its kin use
	Endpoint string // URL of the hub or of a mirror; "": the public one
	Token    string // for what is not public
	Offline  bool   // never use the network
	// Progress is told how many bytes of a folder have come; nil is none.
	Progress func(done, total int64)
}

// Folder is a model's folder in the cache.
type Folder struct {
	Dir    string
	Commit string
	// Stale says why the network did not answer: the folder is then the one that was
	// fetched last, which may not be the revision's any more.
	Stale error
}

// Fetch sees to it that a model's folder is in the cache. Where the network does not
// answer and an earlier fetch left a whole folder, that is taken, and Stale says why.
//
// When ctx ends, a file that is under way goes on in the background until the process
// ends: go-huggingface takes no context.
func Fetch(ctx context.Context, r Reference, o Options) (*Folder, error) {
	dir, commit := o.cached(r)
	if o.Offline {
		if dir == "" {
			return nil, fmt.Errorf("hub: %s is not in %s, and the network is not to be used: fetch it without --offline, or copy its folder here and give its path", r, o.cacheDir())
		}
		return &Folder{Dir: dir, Commit: commit}, nil
	}
	repo := hub.New(r.ID).WithRevision(r.Revision).WithAuth(o.Token).WithCacheDir(o.cacheDir()).WithProgressBar(false)
	repo.Verbosity = 0
	if o.Endpoint != "" {
		repo = repo.WithEndpoint(strings.TrimSuffix(o.Endpoint, "/"))
	}
	names, fresh, err := o.list(ctx, repo)
	if err != nil {
		err = o.explain(r, "the list of its files", err)
		if dir != "" && ctx.Err() == nil {
			return &Folder{Dir: dir, Commit: commit, Stale: err}, nil
		}
		return nil, err
	}
	wanted, err := choose(r, names)
	if err != nil {
		return nil, err
	}
	if err := o.fetchAll(ctx, r, repo, fresh, wanted); err != nil {
		return nil, err
	}
	return &Folder{Dir: snapshotDir(o.modelDir(r), fresh), Commit: fresh}, o.remember(r, fresh)
}

// list is the names of a repository's files, and its commit.
func (o Options) list(ctx context.Context, repo *hub.Repo) (names []string, commit string, err error) {
	// The first URL takes the commit that the revision is now.
	if err := background(ctx, func() error { _, err := repo.FileURL(configFile); return err }); err != nil {
		return nil, "", err
	}
	info := repo.Info()
	if !commitPattern.MatchString(info.CommitHash) {
		return nil, "", fmt.Errorf("its commit is %q, which is none", info.CommitHash)
	}
	for _, f := range info.Siblings {
		names = append(names, f.Name)
	}
	return names, info.CommitHash, nil
}

// fetchAll fetches files, one after the other, and checks each.
//
// Note: go-huggingface fetches several at once, with counters that it does not lock.
func (o Options) fetchAll(ctx context.Context, r Reference, repo *hub.Repo, commit string, wanted []string) error {
	model := o.modelDir(r)
	files := make([]remoteFile, len(wanted))
	var total int64
	for i, name := range wanted {
		url, err := repo.FileURL(name)
		if err == nil {
			files[i], err = head(ctx, o, url, name)
		}
		if err != nil {
			return o.explain(r, name, err)
		}
		total += files[i].size
	}
	var done int64
	for _, f := range files {
		link, blob := filepath.Join(snapshotDir(model, commit), f.name), f.blob(model)
		had := exists(link)
		if had && fileSize(link) == f.size {
			done += f.size
			o.progress(done, total)
			continue
		}
		if had || exists(blob) && fileSize(blob) != f.size { // left by a transfer that broke off
			if err := removeAll(link, blob); err != nil {
				return err
			}
		}
		stop := o.watch(blob+".downloading", done, total)
		err := background(ctx, func() error { _, err := repo.DownloadFile(f.name); return err })
		stop()
		if err == nil {
			if err = f.check(link); err != nil {
				err = errors.Join(err, removeAll(link, blob))
			}
		}
		if err != nil {
			return o.explain(r, f.name, err)
		}
		done += f.size
		o.progress(done, total)
	}
	return nil
}

func (o Options) progress(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// watch reports how a file grows, until it is stopped.
func (o Options) watch(path string, before, total int64) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				o.Progress(before+fileSize(path), total)
			}
		}
	}()
	return func() { close(quit); <-ended }
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// background waits for do or for the end of ctx.
func background(ctx context.Context, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// statusCode finds HTTP's in an error of go-huggingface's, which is text.
var statusCode = regexp.MustCompile(`\b40[134]\b`)

// explain says what could not be had, from where, and what to do about it.
func (o Options) explain(r Reference, what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	from := o.Endpoint
	if from == "" {
		from = "the hub"
	}
	advice := "copy its folder to this machine and give its path, or set HF_ENDPOINT to a mirror that can be reached"
	switch status := statusCode.FindString(err.Error()); {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrExist):
		advice = "the cache is " + o.cacheDir() + "; hub.cache sets another"
	case status == "401", status == "403":
		advice = "it is not public, or there is none of that name: check the name, or set HF_TOKEN to a token that may read it"
	case status == "404":
		advice = "check the name and the revision"
	case errors.Is(err, errDamaged):
		advice = "try again"
	}
	return fmt.Errorf("hub: %s: %s cannot be had from %s: %w: %s", r, what, from, err, advice)
}
