package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// decode reads one JSON object that has what v has and nothing else.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("it is empty")
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind the JSON object")
	}
	return nil
}
