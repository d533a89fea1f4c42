package text

import (
	"cmp"
	"fmt"
	"strings"
)

// Instruction says how records of a request and its answer are read, and how a model
// is shown them. In a template {instruction} and {input} stand for what a record says;
// the answer follows right behind it.
type Instruction struct {
	// Names of the JSON fields; "": instruction, input and output. A record may lack
	// the input, or have an empty one.
	Instruction, Input, Output string

	Template  string // of records without input; "": DefaultTemplate
	WithInput string // of records with one; "": DefaultWithInput
}

// The templates, unless others are given. They are short, since every record has them.
const (
	DefaultTemplate  = "### Task\n{instruction}\n\n### Answer\n"
	DefaultWithInput = "### Task\n{instruction}\n\n### Text\n{input}\n\n### Answer\n"
)

func (i Instruction) withDefaults() Instruction {
	return Instruction{
		Instruction: cmp.Or(i.Instruction, "instruction"),
		Input:       cmp.Or(i.Input, "input"),
		Output:      cmp.Or(i.Output, "output"),
		Template:    cmp.Or(i.Template, DefaultTemplate),
		WithInput:   cmp.Or(i.WithInput, DefaultWithInput),
	}
}

func (i Instruction) validate() error {
	i = i.withDefaults()
	if i.Instruction == i.Input || i.Input == i.Output || i.Output == i.Instruction {
		return fmt.Errorf("text: instruction, input and output are the fields %q, %q and %q: want three", i.Instruction, i.Input, i.Output)
	}
	for _, t := range []struct{ what, template, name string }{
		{"template", i.Template, "{instruction}"},
		{"template of records with input", i.WithInput, "{instruction}"},
		{"template of records with input", i.WithInput, "{input}"},
	} {
		if !strings.Contains(t.template, t.name) {
			return fmt.Errorf("text: the %s is %q: want %s in it", t.what, t.template, t.name)
		}
	}
	return nil
}

// Prompt is what a model is given before it answers: a record's, or a user's own when
// it is asked. input may be empty.
func (i Instruction) Prompt(instruction, input string) string {
	i = i.withDefaults()
	if input == "" {
		return strings.NewReplacer("{instruction}", instruction).Replace(i.Template)
	}
	return strings.NewReplacer("{instruction}", instruction, "{input}", input).Replace(i.WithInput)
}
