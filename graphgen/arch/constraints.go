package arch

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Constraints are expressions over the counts of any Candidate, whatever its layers: the
// names of a Space's, and hidden, the hidden size of a recurrent layer. One that names a
// layer's sizes (d_inner, n_head, n_kv_head, head_dim; hidden) must be true in every
// layer that has them. They are safe for concurrent use.
type Constraints struct {
	texts    []string
	programs []*vm.Program
	uses     []uint // of the names that are looked up, as bits
}

// layerVariables are variables with what only layers of other types have.
type layerVariables struct {
	variables
	Hidden int `expr:"hidden"`
}

// Bits of what an expression uses: sizes of layers, and counts that take time.
const (
	usesTransformer = 1 << iota
	usesRecurrent
	usesDecoderParams
	usesTotalParams
	usesFlops
	usesKV
)

var usedNames = map[string]uint{
	"d_inner": usesTransformer, "n_head": usesTransformer, "n_kv_head": usesTransformer, "head_dim": usesTransformer,
	"hidden":         usesRecurrent,
	"decoder_params": usesDecoderParams, "total_params": usesTotalParams,
	"flops_per_token": usesFlops, "kv_bytes_per_token": usesKV,
}

// layerNames are the names that Constraints may use.
var layerNames = slices.Insert(slices.Clone(variableNames), slices.Index(variableNames, "vocab"), "hidden")

// CompileConstraints checks expressions and makes them ready. Errors name the
// expression and the place in it.
func CompileConstraints(texts []string) (*Constraints, error) {
	c := &Constraints{texts: slices.Clone(texts)}
	for i, text := range texts {
		switch {
		case strings.TrimSpace(text) == "":
			return nil, constraintError(i, text, "the expression is empty: write one such as d_inner/d_model >= 2", 0)
		case len(text) > MaxConstraintLen:
			return nil, constraintError(i, text, fmt.Sprintf("%d bytes are too long: at most %d", len(text), MaxConstraintLen), 0)
		}
		program, err := expr.Compile(text, expressionOptions(layerVariables{})...)
		if err != nil {
			problem, column := explain(err, layerNames)
			return nil, constraintError(i, text, problem, column)
		}
		used := usage{}
		tree := program.Node()
		ast.Walk(&tree, &used)
		if used.all {
			return nil, constraintError(i, text, "$env stands for all names at once, of layers of all types: write the names themselves", 0)
		}
		if bits.OnesCount(used.bits&(usesTransformer|usesRecurrent)) > 1 {
			return nil, constraintError(i, text, "no layer has both a hidden size and heads: write one constraint for each", 0)
		}
		c.programs, c.uses = append(c.programs, program), append(c.uses, used.bits)
	}
	return c, nil
}

// usage collects what an expression uses.
type usage struct {
	bits uint
	all  bool
}

func (u *usage) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		u.bits |= usedNames[id.Value]
		u.all = u.all || id.Value == "$env"
	}
}

// Texts are the expressions. The caller must not change them.
func (c *Constraints) Texts() []string { return c.texts }

// OfBuild reports whether expression n names a count that builds differ in.
func (c *Constraints) OfBuild(n int) bool { return c.uses[n]&usesKV != 0 }

// Satisfied reports whether a valid Candidate satisfies expression n. An error is that of
// an expression that has no value there, such as a remainder by 0.
func (c *Constraints) Satisfied(n int, candidate Candidate) (bool, error) {
	uses, s := c.uses[n], candidate.Spec
	env := &layerVariables{variables: variables{
		NLayer: len(s.Layers), DModel: s.DModel, Vocab: s.Vocab, Positions: s.Positions, EmbeddingParams: int(s.EmbeddingParams()),
	}}
	for _, count := range []struct {
		bit   uint
		at    *int
		value func() int64
	}{
		{usesDecoderParams, &env.DecoderParams, s.DecoderParams},
		{usesTotalParams, &env.TotalParams, s.TotalParams},
		{usesFlops, &env.FlopsPerToken, s.FlopsPerToken},
		{usesKV, &env.KVBytesPerToken, func() int64 { return s.KVBytesPerToken(candidate.Build) }},
	} {
		if uses&count.bit != 0 {
			*count.at = int(count.value())
		}
	}
	if uses&(usesTransformer|usesRecurrent) == 0 {
		return c.run(n, s, env)
	}
	for i, l := range s.Layers {
		if s.TypeOf(i).Recurrent() != (uses&usesRecurrent != 0) || i > 0 && l == s.Layers[i-1] {
			continue
		}
		env.DInner, env.NHead, env.NKVHead, env.HeadDim, env.Hidden = l.DInner, l.NHead, l.KVHeads(), s.HeadDimOf(i), s.HiddenOf(i)
		if ok, err := c.run(n, s, env); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *Constraints) run(n int, s Spec, env *layerVariables) (bool, error) {
	out, err := expr.Run(c.programs[n], env)
	if err != nil {
		problem, column := explain(err, layerNames)
		return false, constraintError(n, c.texts[n], fmt.Sprintf("%s (at %s)", problem, s.Name()), column)
	}
	ok, isBool := out.(bool)
	if !isBool {
		return false, constraintError(n, c.texts[n], fmt.Sprintf("it gives a value of type %T, and a constraint must give true or false", out), 0)
	}
	return ok, nil
}
