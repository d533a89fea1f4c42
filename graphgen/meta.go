package graphgen

import (
	"encoding/json"
	"fmt"
	"strings"

	"lathe/graphgen/arch"
)

// SpecText is a Spec as a file's metadata has it: its name, or JSON where a name
// cannot say all.
func SpecText(s arch.Spec) (string, error) {
	name := s.Name()
	if c, err := arch.ParseCandidate(name); err == nil && c.Spec.Equal(s) {
		return name, nil
	}
	text, err := json.Marshal(s.Normalized())
	if err != nil {
		return "", fmt.Errorf("graphgen: %s: %w", name, err)
	}
	return string(text), nil
}

// ParseSpec reads a Spec as a file's metadata (see [MetaSpec]) has it. It is valid.
func ParseSpec(text string) (arch.Spec, error) {
	c, err := arch.ParseCandidate(text)
	if err != nil && strings.ContainsAny(text, ":{") {
		c, err = arch.ParseYAML(MetaSpec, []byte(text)) // which JSON is
	}
	if err == nil {
		err = c.Spec.Validate()
	}
	return c.Spec, err
}
