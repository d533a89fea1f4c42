package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"lathe/finetune/train"
)

// trainMeter shows how far a training is.
type trainMeter struct {
	a     *app
	bar   *progressbar.ProgressBar
	steps int

	loss  float64 // a running mean
	dev   float64
	skips int          // in this process
	first *train.Entry // since the process began
	warn  func(error)
}

func (t *training) newMeter() *trainMeter {
	steps := t.plan.Schedule.Steps
	return &trainMeter{a: t.a, bar: t.a.bar(int64(steps), "training", false), steps: steps, warn: t.warn}
}

// observe takes what the loop tells.
func (m *trainMeter) observe(e train.Event) {
	switch {
	case e.Warning != nil:
		m.bar.Clear()
		m.warn(e.Warning)
	case e.Resumed != nil:
		m.bar.Clear()
		m.a.note("going on after step %d", e.Resumed.Step)
	case e.Logged != nil:
		m.show(*e.Logged)
	}
}

func (m *trainMeter) show(e train.Entry) {
	m.take(e)
	m.bar.Describe(m.text(e))
	m.bar.Set(e.Step)
}

// take takes an entry's losses.
func (m *trainMeter) take(e train.Entry) {
	if m.first == nil {
		first := e
		m.first = &first
	}
	if e.Skipped {
		m.skips++
	}
	if e.DevLoss != nil {
		m.dev = *e.DevLoss
	}
	if e.Loss != nil {
		if m.loss == 0 {
			m.loss = *e.Loss
		}
		m.loss += (*e.Loss - m.loss) / 20
	}
}

// text is what there is to say after an entry: the time left goes by what this process
// took for its steps and looks.
func (m *trainMeter) text(e train.Entry) string {
	var parts []string
	if m.loss > 0 {
		parts = append(parts, fmt.Sprintf("loss %.3f", m.loss))
	}
	if m.dev > 0 {
		parts = append(parts, "dev perplexity "+perplexityText(m.dev))
	}
	if m.skips > 0 {
		parts = append(parts, fmt.Sprintf("%d steps skipped", m.skips))
	}
	steps, seconds := e.Step-m.first.Step, e.Seconds-m.first.Seconds
	if steps > 0 && seconds > 0 {
		left := time.Duration(seconds / float64(steps) * float64(m.steps-e.Step) * float64(time.Second))
		parts = append(parts, fmt.Sprintf("%.0f tokens/s, %s left", float64(e.Tokens-m.first.Tokens)/seconds, left.Round(time.Second)))
	}
	if len(parts) == 0 {
		return "training"
	}
	return strings.Join(parts, ", ")
}

// perplexityText is the perplexity of a loss in nats.
func perplexityText(loss float64) string {
	p := math.Exp(loss)
	switch {
	case p >= 1e6:
		return fmt.Sprintf("%.2g", p)
	case p >= 100:
		return fmt.Sprintf("%.0f", p)
	}
	return fmt.Sprintf("%.2f", p)
}
