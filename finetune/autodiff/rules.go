package autodiff

import (
	"fmt"
	"maps"

	"lathe/graphgen/ir"
)

// rule hands the gradients of n's outputs on to those of its inputs that are wanted.
// It may call only what reverse has for adding where it is not sure that an input is.
type rule func(r *reverse, n *ir.Node)

// rules are all that are known, by the operator's name, with its domain where that is
// not ONNX's; each file of rules adds its own.
var rules = map[string]rule{}

func register(group map[string]rule) { maps.Copy(rules, group) }

// operator is n's name in rules.
func operator(n *ir.Node) string {
	if n.Domain == ir.DomainONNX {
		return n.Op
	}
	return fmt.Sprintf("%s.%s", n.Domain, n.Op)
}

// ints are the values of a constant of whole numbers: axes, sizes. Others fail.
func (r *reverse) ints(n *ir.Node, input int) []int64 {
	if input >= len(n.Inputs) || n.Inputs[input] == nil || n.Inputs[input].Const() == nil {
		r.fail(n, "input %d is not a constant", input)
		return nil
	}
	return n.Inputs[input].Const().Ints()
}

// axis counts an axis of v from the front.
func axis(a int64, v *ir.Value) int {
	if a < 0 {
		a += int64(len(v.Shape))
	}
	return int(a)
}
