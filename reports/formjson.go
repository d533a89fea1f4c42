package reports

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
)

// writeJSON writes the model itself. A number that is not finite, which JSON has no word
// for, is null.
func (r *Report) writeJSON(w io.Writer) error {
	flat, err := json.Marshal(r)
	if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) {
		var out bytes.Buffer
		if err = writeFinite(&out, reflect.ValueOf(r)); err == nil {
			flat = out.Bytes()
		}
	}
	if err != nil {
		return fmt.Errorf("reports: form %s: %w", FormJSON, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, flat, "", "  "); err != nil {
		return fmt.Errorf("reports: form %s: %w", FormJSON, err)
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

// writeFinite writes what encoding/json does, and null for numbers that are not finite.
// Fields of type any, embedded structs and the option omitzero are not in the model.
func writeFinite(out *bytes.Buffer, v reflect.Value) error {
	switch v.Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return writeOwn(out, v)
	}
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			out.WriteString("null")
			return nil
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return writeFinite(out, v.Elem())
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		out.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeFinite(out, v.Index(i)); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	case reflect.Map:
		all := map[string]json.RawMessage{} // whose keys are sorted when it is written
		for _, k := range v.MapKeys() {
			var one bytes.Buffer
			if err := writeFinite(&one, v.MapIndex(k)); err != nil {
				return err
			}
			all[k.String()] = one.Bytes()
		}
		v = reflect.ValueOf(all)
	case reflect.Struct:
		return writeFields(out, v)
	}
	return writeOwn(out, v)
}

func writeOwn(out *bytes.Buffer, v reflect.Value) error {
	b, err := json.Marshal(v.Interface())
	out.Write(b)
	return err
}

func writeFields(out *bytes.Buffer, v reflect.Value) error {
	open := byte('{')
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag := f.Tag.Get("json")
		name, option, _ := strings.Cut(tag, ",")
		if !f.IsExported() || tag == "-" || option == "omitempty" && empty(v.Field(i)) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out.WriteByte(open)
		open = ','
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		out.Write(key)
		out.WriteByte(':')
		if err := writeFinite(out, v.Field(i)); err != nil {
			return err
		}
	}
	if open == '{' {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return nil
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
