package main

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"lathe/graphgen/arch"
)

// candidates are all that a front names.
func (b *frontBody) candidates() (all []arch.Candidate) {
	for _, e := range b.Front {
		all = append(all, e.Candidate)
	}
	for _, e := range b.Variants {
		all = append(all, e.Candidate)
	}
	if b.Selected != nil {
		all = append(all, b.Selected.Candidate)
	}
	return all
}

// printYAML writes a candidate of a front, "pick" being its pick, in the form that every
// command reads from a file: the names of models whose layers differ do not say them.
func (a *app) printYAML(b *frontBody, name string) error {
	if name == "pick" {
		if b.Pick == nil {
			return badInput(fmt.Errorf("search %s has no pick: name one of its candidates", b.Search))
		}
		return a.writeYAML(b.Pick.Candidate)
	}
	for _, c := range b.candidates() {
		if c.Name() == name {
			return a.writeYAML(c)
		}
	}
	return badInput(fmt.Errorf("the front of search %s has no %q; lathe front --json has the names of all", b.Search, name))
}

func (a *app) writeYAML(c arch.Candidate) error {
	text, err := yaml.Marshal(struct {
		Spec  arch.Spec  `yaml:"spec"`
		Build arch.Build `yaml:"build"`
	}{c.Spec, c.Build})
	if err == nil {
		_, err = a.stdout.Write(text)
	}
	return err
}
