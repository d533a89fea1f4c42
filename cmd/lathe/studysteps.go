package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/machine"
)

// study is one run of a study: what it did before is in its folder.
type study struct {
	a        *app
	ctx      context.Context
	dir      string
	baseline arch.Candidate
	began    time.Time
	models   []studyModel // trained so far, the baseline first
	texts    *evalTexts   // that they are scored on; nil until the first is
	trainSec float64      // that this run's trainings took
	trainOps float64      // and what they multiplied, for the time left
	fresh    int          // steps of this run that were not done before
}

// studyModel is a model of a study.
type studyModel struct {
	Label     string         `json:"label"` // baseline, C1-h8
	Candidate arch.Candidate `json:"candidate"`
}

// stepFile is what is kept of a step.
type stepFile struct {
	Step     string          `json:"step"`
	Finished time.Time       `json:"finished"`
	Seconds  float64         `json:"seconds"`      // of the run that ended it
	CPU      float64         `json:"cpu_s"`        // of this process meanwhile
	Others   float64         `json:"others_cpu_s"` // of everything else on the machine
	Result   json.RawMessage `json:"result"`
}

func (s *study) stepPath(name string) string { return filepath.Join(s.dir, "steps", name+".json") }

// title announces what is done now, with the time since the study was begun or resumed.
func (s *study) title(format string, args ...any) {
	s.a.note("[%6s] %s", time.Since(s.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// detail says what came of it.
func (s *study) detail(format string, args ...any) {
	s.a.note("         %s", fmt.Sprintf(format, args...))
}

// step gives a step's result: the one that is kept, or else that of do, which is then
// kept. It is written beside its place and renamed, so that it is whole or not there.
func step[T any](s *study, name, title string, do func() (T, error)) (T, error) {
	var result T
	f, err := s.kept(name)
	if err == nil {
		if err := json.Unmarshal(f.Result, &result); err != nil {
			return result, badInput(fmt.Errorf("study: %s: %w: it is not what a study of this version wrote; remove it to do the step again", s.stepPath(name), err))
		}
		return result, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	if err := s.ctx.Err(); err != nil {
		return result, err
	}
	s.title("%s", title)
	began, machineBefore := time.Now(), machine.Read()
	if result, err = do(); err != nil {
		return result, err
	}
	s.fresh++
	var raw bytes.Buffer
	if err := newEncoder(&raw).Encode(result); err != nil {
		return result, err
	}
	used := machine.Read().Since(machineBefore)
	f = &stepFile{
		Step: name, Finished: time.Now().UTC().Truncate(time.Second), Seconds: time.Since(began).Seconds(),
		CPU: float64(used.OwnNS) / 1e9, Others: float64(used.OthersNS) / 1e9, Result: raw.Bytes(),
	}
	return result, s.writeJSON(s.stepPath(name), f)
}

// kept is what is kept of a step; fs.ErrNotExist where it was not done.
func (s *study) kept(name string) (*stepFile, error) {
	data, err := os.ReadFile(s.stepPath(name))
	if err != nil {
		return nil, err
	}
	f := new(stepFile)
	if err := json.Unmarshal(data, f); err != nil || f.Step != name {
		return nil, badInput(fmt.Errorf("study: %s is not what a study wrote (%v); remove it to do the step again", s.stepPath(name), err))
	}
	return f, nil
}

func (s *study) writeJSON(path string, v any) error {
	return create(path, func(w io.Writer) error {
		e := newEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(v)
	})
}

// again forgets a step, so that it is done once more.
func (s *study) again(name string) error {
	err := os.Remove(s.stepPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// started is what a study was begun with.
type started struct {
	Baseline string         `json:"baseline"`
	Build    string         `json:"build"`
	Seed     uint64         `json:"seed"`
	Settings map[string]any `json:"settings"`
	Lists    studyConfig    `json:"study"`
	Space    spaceConfig    `json:"space"`
}

// settle writes what the study is begun with, or holds it against what it was begun with:
// a study that goes on with other settings would be none.
func (s *study) settle() error {
	c := s.a.cfg
	now := started{Baseline: s.baseline.Name(), Build: c.Build, Seed: c.Seed, Settings: map[string]any{}, Lists: c.Study, Space: c.Space}
	for _, k := range settings {
		if inStudy(k.key) {
			now.Settings[k.key] = c.value(k)
		}
	}
	path := filepath.Join(s.dir, "settings.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.writeJSON(path, now)
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	var was, is map[string]any
	if err := json.Unmarshal(data, &was); err != nil {
		return badInput(fmt.Errorf("study: %s: %w", path, err))
	}
	if err := json.Unmarshal(text, &is); err != nil {
		return err
	}
	if what := differs("", was, is); what != "" {
		return badInput(fmt.Errorf("study: %s was begun with other settings: %s; take the configuration that it had, or another folder", s.dir, what))
	}
	return nil
}

// inStudy reports whether a setting decides what a study finds.
func inStudy(key string) bool {
	for _, group := range []string{"search.", "timing.", "train.", "study."} {
		if strings.HasPrefix(key, group) {
			return true
		}
	}
	return false
}

// differs names the first value that is another; "" where all are the same.
func differs(at string, was, is any) string {
	a, okA := was.(map[string]any)
	b, okB := is.(map[string]any)
	if okA && okB {
		for _, k := range slices.Sorted(maps.Keys(b)) {
			if _, known := a[k]; !known {
				continue // a setting that there was not when it was begun
			}
			if what := differs(at+"."+k, a[k], b[k]); what != "" {
				return what
			}
		}
		return ""
	}
	x, _ := json.Marshal(was)
	y, _ := json.Marshal(is)
	if !bytes.Equal(x, y) {
		return fmt.Sprintf("%s was %s and is %s", at[1:], x, y)
	}
	return ""
}
