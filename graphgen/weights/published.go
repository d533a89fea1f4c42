package weights

import (
	"context"
	"errors"
	"fmt"
	"io"

	"lathe/graphgen/ir"
)

// errEnough ends a drawing that has given what was wanted.
var errEnough = errors.New("enough")

// WritePublished writes one of the tensors that a float parameter is published as,
// in the layout that it is published in, with the values that WriteParam gives
// that parameter.
func (r *Random) WritePublished(ctx context.Context, w io.Writer, p *ir.Param, tensor string) error {
	var from, to, total int64
	for _, part := range p.Published() {
		if part.Name == tensor {
			from, to = total, total+part.Rows
		}
		total += part.Rows
	}
	if p.Quant != nil || to == from {
		return fmt.Errorf("weights: tensor %s is none that parameter %s is published as", tensor, p.Name)
	}
	if !external(p) {
		b, err := vector(p)
		if err == nil {
			_, err = w.Write(b[p.Type.Size()*from : p.Type.Size()*to])
		}
		return err
	}
	cols := p.Shape[1].N
	if p.Turned {
		cols = p.Shape[0].N
	}
	t, ok := floatTypeOf(p.Type)
	if !ok {
		return fmt.Errorf("weights: parameter %s is a matrix of %v, not of floats", p.Name, p.Type)
	}
	buf := make([]byte, 0, t.Size()*cols)
	err := r.rows(p.Name, p.Init, total, cols, func(i int64, row []float32) error {
		if i >= to {
			return errEnough
		}
		if err := ctx.Err(); err != nil || i < from {
			return err
		}
		out, _ := t.append(buf[:0], row)
		_, err := w.Write(out)
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
