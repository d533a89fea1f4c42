package main

import (
	"fmt"
	"path/filepath"

	"lathe/graphgen/bundle"
)

// place refuses a folder that is there, unless it may be replaced: with --force, if it
// is a bundle, or empty. Nothing else is ever removed.
func (x *exportPlan) place() error {
	x.dir = filepath.Clean(x.dir)
	return x.folder().place()
}

func (x *exportPlan) folder() outFolder {
	return outFolder{dir: x.dir, command: "export", what: "bundle", mark: bundle.ManifestFile, replace: x.flags.force}
}

// checkSpace reports a disk on which the bundle has no room.
func (x *exportPlan) checkSpace() error {
	const small = 2 << 20 // graphs, and tokenizers of the usual size
	need := int64(small)
	for _, m := range x.models {
		bytes := x.spec().WeightBytes(m.candidate.Build)
		if x.flags.optimized {
			bytes *= 2
		}
		need += bytes + small
	}
	parent := filepath.Dir(mustAbs(x.dir))
	free, known := freeSpace(parent)
	if known && free < need {
		return fmt.Errorf("export: %s takes about %.0f MB, and %s has %.0f MB left", x.dir, float64(need)/1e6, parent, float64(free)/1e6)
	}
	return nil
}
