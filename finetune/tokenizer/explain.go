package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// explain says where in data an error of encoding/json is, for a value that begins
// at from.
func explain(data []byte, from int64, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = from + syntax.Offset
	case errors.As(err, &kind):
		offset = from + kind.Offset
		err = fmt.Errorf("%s: a %s, want %s", cmp.Or(kind.Field, "the file"), kind.Value, kindOf(kind.Type.String()))
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	column := offset - int64(bytes.LastIndexByte(data[:offset], '\n')) - 1
	if offset == int64(len(data)) {
		err = fmt.Errorf("the file ends here, inside its JSON (%w): is it whole?", err)
	}
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// kindOf is a Go type in the words of JSON.
func kindOf(goType string) string {
	switch {
	case goType == "int":
		return "a whole number"
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "an object"
}
