package main

import (
	"context"
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

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
	if len(ids) == 0 {
		return "", badInput(errors.New("--sample has no token"))
	}
	const most = 80
	room := len(ids) + most
	if !t.plan.Spec.Stack() {
		room = min(room, t.plan.Spec.Positions)
	}
	if len(ids) >= room {
		return "", badInput(fmt.Errorf("--sample has %d tokens, and the model %d positions", len(ids), room))
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
