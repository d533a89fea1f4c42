package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// text is the constant's values for people.
func (c *Const) text() string {
	var parts []string
	for d := c.Data; len(d) > 0; {
		switch c.Type {
		case Int64:
			parts = append(parts, fmt.Sprint(int64(binary.LittleEndian.Uint64(d))))
			d = d[8:]
		case Int32:
			parts = append(parts, fmt.Sprint(int32(binary.LittleEndian.Uint32(d))))
			d = d[4:]
		case Float:
			parts = append(parts, fmt.Sprint(math.Float32frombits(binary.LittleEndian.Uint32(d))))
			d = d[4:]
		default:
			return fmt.Sprintf("%x", c.Data)
		}
	}
	return strings.Join(parts, " ")
}
