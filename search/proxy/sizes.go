package proxy

import (
	"fmt"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
)

// spec reads the columns of sizes. It is not validated.
func (h *header) spec(record []string) (arch.Spec, error) {
	s := h.base
	s.Layers = nil
	n, err := h.size(record, colLayers)
	if err != nil {
		return s, err
	}
	if n < 1 || n > arch.MaxLayers {
		return s, fmt.Errorf("column %s is %d: want 1 to %d", colLayers, n, arch.MaxLayers)
	}
	if s.DModel, err = h.size(record, colModel); err != nil {
		return s, err
	}
	for _, own := range []struct {
		col string
		to  *int
	}{{colVocab, &s.Vocab}, {colPositions, &s.Positions}} {
		if _, there := h.columns[own.col]; there {
			if *own.to, err = h.size(record, own.col); err != nil {
				return s, err
			}
		}
	}
	s.Layers = make([]arch.Layer, n)
	for i := range s.Layers {
		s.Layers[i].Type = arch.Transformer
	}
	for _, each := range []struct {
		col string
		set func(*arch.Layer, int)
	}{
		{colInner, func(l *arch.Layer, v int) { l.DInner = v }},
		{colHeads, func(l *arch.Layer, v int) { l.NHead = v }},
		{colKVHeads, func(l *arch.Layer, v int) { l.NKVHead = v }},
	} {
		if _, there := h.columns[each.col]; !there {
			continue
		}
		values, err := h.perLayer(record, each.col, n)
		if err != nil {
			return s, err
		}
		for i := range s.Layers {
			each.set(&s.Layers[i], values[i])
		}
	}
	return s, nil
}

func (h *header) size(record []string, col string) (int, error) {
	text, _ := h.cell(record, col)
	return parseSize(col, text)
}

func parseSize(col, text string) (int, error) {
	if text == "" {
		return 0, fmt.Errorf("column %s is empty: want a whole number", col)
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("column %s is %s: want a whole number", col, strconv.Quote(shortened(text)))
	}
	return v, nil
}

// perLayer reads one number for all layers, or one for each.
func (h *header) perLayer(record []string, col string, layers int) ([]int, error) {
	text, _ := h.cell(record, col)
	parts := strings.Split(text, "|")
	if len(parts) != 1 && len(parts) != layers {
		return nil, fmt.Errorf("column %s has %d numbers: want 1, or one for each of %d layers", col, len(parts), layers)
	}
	out := make([]int, layers)
	for i := range out {
		if i >= len(parts) {
			out[i] = out[0]
			continue
		}
		v, err := parseSize(col, strings.TrimSpace(parts[i]))
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
