package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
)

// Strict reads the JSON object b into the struct that into points to. Unlike
// json.Unmarshal it takes no field that the struct does not have or that appears
// twice, and its errors say where in b they are and what was meant. They have no
// prefix: who reads a file knows its name and the line.
func Strict(b []byte, into any) error {
	if !json.Valid(b) {
		return explain(json.Unmarshal(b, into))
	}
	if t := bytes.TrimSpace(b); t[0] != '{' {
		return fmt.Errorf("%.20s is not a JSON object", t)
	}
	// Unknown fields first: a misspelt name explains what would otherwise be
	// reported as missing.
	if err := checkFields(b, reflect.TypeOf(into)); err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return explain(err)
	}
	return nil
}

// checkFields walks the valid JSON b beside the type that it is to be read into,
// and returns an error for the first object field that the type does not have or
// that appears twice.
//
// Note: json.Decoder's DisallowUnknownFields names neither the place of the field
// nor the name that was meant, and takes "NS" for "ns".
func checkFields(b []byte, t reflect.Type) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return walk(dec, t, "")
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func walk(dec *json.Decoder, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return skip(dec) // the type looks after its own fields
	}
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		return walkObject(dec, t, path)
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
				err = walk(dec, t.Elem(), path+"["+strconv.Itoa(i)+"]")
			} else {
				err = skip(dec)
			}
			if err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	}
	return nil
}

func walkObject(dec *json.Decoder, t reflect.Type, path string) error {
	var names []string
	var types []reflect.Type
	if t.Kind() == reflect.Struct {
		names, types = fields(t)
	}
	seen := make(map[string]bool, len(names))
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key := tok.(string) // what stands before a colon is a string
		full := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			return fmt.Errorf("field %q appears twice", full)
		}
		seen[key] = true
		var field reflect.Type
		for i, name := range names {
			if name == key {
				field = types[i]
			}
		}
		switch {
		case field != nil:
			err = walk(dec, field, full)
		case t.Kind() == reflect.Struct:
			return fmt.Errorf("unknown field %q: the nearest known one is %q", full, nearest(key, names))
		default:
			err = skip(dec)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func skip(dec *json.Decoder) error {
	var raw json.RawMessage
	return dec.Decode(&raw)
}

// fields lists the JSON names of a struct's fields and their types, in order.
func fields(t reflect.Type) (names []string, types []reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names, types = append(names, name), append(types, f.Type)
	}
	return names, types
}

// nearest returns the name with the least edit distance to key, the first of
// equals. A name that key begins, or that begins key, counts as one edit away.
func nearest(key string, names []string) string {
	best, least := "", -1
	if len(key) > 100 { // no name is that long: the start decides as well
		key = key[:100]
	}
	key = strings.ToLower(key)
	for _, name := range names {
		d := arch.EditDistance(key, name)
		if len(key) > 1 && (strings.HasPrefix(name, key) || strings.HasPrefix(key, name)) {
			d = min(d, 1)
		}
		if least < 0 || d < least {
			best, least = name, d
		}
	}
	return best
}
