package main

import (
	"context"
	"fmt"

	"lathe/finetune/tokenizer"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
)

// resumeTraining goes on with one.
func (a *app) resumeTraining(ctx context.Context, f *trainFlags) (*trainResult, error) {
	plan, err := readPlan(f.dir)
	if err != nil {
		return nil, err
	}
	if err := a.changePlan(f, plan); err != nil {
		return nil, err
	}
	unlock, err := train.Lock(f.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t := &training{a: a, plan: plan, dir: f.dir, resume: true, sample: f.sample, goesOn: f.goesOn}
	defer t.close()
	if t.tk, err = tokenizer.Load(f.dir); err != nil {
		return nil, badInput(err)
	}
	if err := t.checkSample(); err != nil {
		return nil, err
	}
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	if key := t.corpus.Key(); key != plan.TextKey {
		return nil, badInput(fmt.Errorf("%s: the text, or the tokenizer in %s, is not what the training began with: it can only go on with that", f.command, f.dir))
	}
	// Of use where there is no checkpoint yet, or only what is left of one.
	s := trainStart{candidate: arch.Candidate{Spec: plan.Spec}}
	saved, err := train.Saved(f.dir)
	if err != nil {
		return nil, err
	}
	if plan.From != "" && !saved {
		if s.own, err = a.openWhole(ctx, plan.From); err != nil {
			return nil, err
		}
		defer s.own.close()
	}
	if plan.From == "" || s.own != nil {
		src, err := t.startWeights(ctx, s.own)
		if err != nil {
			return nil, err
		}
		if src.Hash() != plan.Start {
			return nil, badInput(fmt.Errorf("%s: the weights of %s are not what the training began with", f.command, plan.From))
		}
		if err := t.model.Load(ctx, src); err != nil {
			return nil, err
		}
	}
	if err := plan.write(f.dir); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

// changePlan makes the changes that a resumed training may have.
func (a *app) changePlan(f *trainFlags, p *trainPlan) error {
	c := a.cfg.Train
	for _, s := range append(trainSettings, setting{key: "seed"}, setting{key: "text"}, setting{key: "field"}, setting{key: "tokenizer"}, setting{key: "instruction"}, setting{key: "separator"}, setting{key: "whole"}, setting{key: "end"}, setting{key: "from"}, setting{key: "teacher"}, setting{key: "teacher_cache"}) {
		flag := flagOf(s.key)
		if !f.changed(flag) {
			continue
		}
		switch flag {
		case "steps":
			p.Schedule.Steps = c.Steps
		case "lr":
			p.Schedule.Floor *= c.LR / p.Schedule.Peak
			p.Schedule.Peak = c.LR
		case "patience":
			p.Patience = c.Patience
		case "keep":
			p.Keep = c.Keep
		default:
			return badInput(fmt.Errorf("%s: --resume takes the settings that the training began with, but for --steps, --lr, --patience and --keep; --%s is none of them", f.command, flag))
		}
	}
	return badInput(p.Schedule.Validate())
}
