package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// LogFile is the log's name in a training's folder.
const LogFile = "log.jsonl"

// Entry is a line of the log: what a step did, or what a look at the development set
// found. Losses are means over the tokens that count, in nats.
type Entry struct {
	Step      int      `json:"step"`
	Loss      *float64 `json:"loss,omitempty"`      // of the step's batch, before the step; none where it overflowed
	LR        float64  `json:"lr,omitempty"`        // the learning rate
	GradNorm  float64  `json:"grad_norm,omitempty"` // before clipping
	LossScale float64  `json:"loss_scale,omitempty"`
	Skipped   bool     `json:"skipped,omitempty"` // the gradient overflowed, and nothing was changed
	DevLoss   *float64 `json:"dev_loss,omitempty"`
	DevTokens int      `json:"dev_tokens,omitempty"`
	Tokens    int64    `json:"tokens"` // of all steps so far
	Seconds   float64  `json:"seconds"`
}

// log appends entries to a file. What cannot be written, as on a full disk, is kept
// and tried again with the next entry.
type log struct {
	f       *os.File
	size    int64  // of whole lines in the file
	pending []byte // whole lines that follow
	lost    error  // says that lines are gone that once were there
}

// openLog opens the log, cut off after size bytes: what a killed process logged after
// its last checkpoint will be logged again. One that is shorter has lost lines, which
// keep nothing from going on; what is left of the line that it ends in goes too.
func openLog(path string, size int64) (*log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	l := &log{f: f, size: size}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		l.lost = fmt.Errorf("train: %s has %d bytes, and had %d: lines of it are lost", path, info.Size(), size)
		l.size, err = wholeLines(f, info.Size())
	}
	if err == nil {
		err = f.Truncate(l.size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return l, nil
}

// wholeLines is where the last whole line of a file of size bytes ends.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	begin := max(0, size-maxLine)
	end := make([]byte, size-begin)
	if _, err := f.ReadAt(end, begin); err != nil {
		return 0, err
	}
	return begin + int64(bytes.LastIndexByte(end, '\n')) + 1, nil
}

func (l *log) add(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("train: log: %w", err)
	}
	l.pending = append(append(l.pending, line...), '\n')
	return l.flush()
}

// flush writes what is pending. Half a line that was written is written over.
func (l *log) flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	n, err := l.f.WriteAt(l.pending, l.size)
	if whole := bytes.LastIndexByte(l.pending[:n], '\n') + 1; whole > 0 {
		l.size += int64(whole)
		l.pending = append(l.pending[:0], l.pending[whole:]...)
	}
	if err != nil {
		return fmt.Errorf("train: log: %w", err)
	}
	return nil
}

// sync brings all lines to the disk, and returns the log's size.
func (l *log) sync() (int64, error) {
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.size, l.f.Sync()
}

func (l *log) close() error { return errors.Join(l.flush(), l.f.Close()) }

// maxLine bounds a line of a log: an entry takes some 200 bytes.
const maxLine = 1 << 16

// ReadLog reads a log. Half a line at its end, which a kill leaves, is left out.
func ReadLog(r io.Reader, name string) ([]Entry, error) {
	in := bufio.NewReaderSize(r, maxLine)
	var out []Entry
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("train: %s:%d: %w", name, len(out)+1, err)
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("train: %s:%d: %w", name, len(out)+1, err)
		}
		out = append(out, e)
	}
}
