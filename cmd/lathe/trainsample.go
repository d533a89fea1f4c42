package main

import (
	"context"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// checkSample refuses a text that cannot be continued, before the model is trained.
func (t *training) checkSample() error {
	if t.sample == "" {
		return nil
	}
	switch n, spec := len(t.tk.Encode(t.sample)), t.plan.Spec; {
	case n == 0:
		return badInput(fmt.Errorf("--sample is %q, of which the tokenizer makes no token", t.sample))
	case !spec.Stack() && n >= spec.Positions:
		return badInput(fmt.Errorf("--sample has %d tokens, and %s has %d positions: want fewer", n, spec.Name(), spec.Positions))
	}
	return nil
}

// continueText is what the written model goes on with, greedily.
func (t *training) continueText(ctx context.Context, path, prompt string) (string, error) {
	env, err := t.a.runtime(ctx)
	if err != nil {
		return "", err
	}
	c := arch.Candidate{Spec: t.plan.Spec, Build: t.plan.Build}
	s, err := env.NewSessionFromFile(path, sessionOptions(record.Of(c)))
	if err != nil {
		return "", err
	}
	defer s.Close()
	ids := t.tk.Encode(prompt)
	const most = 80
	room := len(ids) + most
	if !t.plan.Spec.Stack() {
		room = min(room, t.plan.Spec.Positions)
	}
	m, err := openModel(s, ownGraph(c.Build), []int{len(ids)}, room)
	if err != nil {
		return "", err
	}
	defer m.Close()
	row := make([]int64, len(ids))
	for i, id := range ids {
		row[i] = int64(id)
	}
	if err := m.Prefill([][]int64{row}); err != nil {
		return "", err
	}
	next := []int64{0}
	for len(ids) < room {
		m.Greedy(next)
		if int(next[0]) == t.plan.End {
			break
		}
		ids = append(ids, int(next[0]))
		if len(ids) < room {
			if err := m.Step(next); err != nil {
				return "", err
			}
		}
	}
	return t.tk.Decode(ids), ctx.Err()
}
