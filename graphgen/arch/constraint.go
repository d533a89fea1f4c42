package arch

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// variables are the names that a constraint may use. "/" is true division in the
// language of the expressions, and "%" needs whole numbers, which all of these
// are.
type variables struct {
	NLayer          int `expr:"n_layer"`
	DModel          int `expr:"d_model"`
	DInner          int `expr:"d_inner"`
	NHead           int `expr:"n_head"`
	NKVHead         int `expr:"n_kv_head"`
	HeadDim         int `expr:"head_dim"`
	Vocab           int `expr:"vocab"`
	Positions       int `expr:"positions"`
	DecoderParams   int `expr:"decoder_params"`
	TotalParams     int `expr:"total_params"`
	EmbeddingParams int `expr:"embedding_params"`
	FlopsPerToken   int `expr:"flops_per_token"`
	KVBytesPerToken int `expr:"kv_bytes_per_token"`
}

// Bits of the axes, by their index, and onKV.
const (
	onLayer = 1 << iota
	onModel
	onInner
	onHead
	onKV // on n_head where heads share keys and values
)

// dependsOn says which axes a name depends on. Since n_head * head_dim is
// d_model at every point of a Space, no count depends on n_head but through the
// heads of keys and values.
var dependsOn = map[string]uint{
	"n_layer":            onLayer,
	"d_model":            onModel,
	"d_inner":            onInner,
	"n_head":             onHead,
	"n_kv_head":          onHead,
	"head_dim":           onModel | onHead,
	"vocab":              0,
	"positions":          0,
	"decoder_params":     onLayer | onModel | onInner | onKV,
	"total_params":       onLayer | onModel | onInner | onKV,
	"embedding_params":   onModel,
	"flops_per_token":    onLayer | onModel | onInner | onKV,
	"kv_bytes_per_token": onLayer | onModel | onKV,
}

// variableNames are the names that a constraint may use, in the order that
// messages list them.
var variableNames = []string{
	"n_layer", "d_model", "d_inner", "n_head", "n_kv_head", "head_dim", "vocab", "positions",
	"decoder_params", "total_params", "embedding_params", "flops_per_token", "kv_bytes_per_token",
}

// functions are the builtins that a constraint may use: those of numbers.
var functions = []string{"abs", "ceil", "floor", "round", "min", "max"}

// Variables returns the names that a constraint may use.
func Variables() []string { return slices.Clone(variableNames) }

// table is one condition, evaluated for every combination of the axes that it
// depends on; the stride of any other axis is 0.
type table struct {
	axes   uint // bits of the axes
	stride [4]int
	ok     []bool
}

func newTable(c *Compiled, axes uint) table {
	t := table{axes: axes}
	n := 1
	for a := 3; a >= 0; a-- {
		if axes&(1<<a) != 0 {
			t.stride[a] = n
			n *= len(c.axes[a])
		}
	}
	t.ok = make([]bool, n)
	return t
}

func (t table) at(i [4]int) bool {
	return t.ok[i[0]*t.stride[0]+i[1]*t.stride[1]+i[2]*t.stride[2]+i[3]*t.stride[3]]
}

// depth is the last axis that t depends on.
func (t table) depth() int { return max(0, bits.Len(t.axes)-1) }

// divides is the condition that every model meets: n_head divides d_model, and
// no size is beyond its limit; with rotary positions a head has an even size, and
// heads share keys and values evenly.
func (c *Compiled) divides() table {
	t := newTable(c, onModel|onHead)
	rotary := families[c.space.Family].rotary
	for i, d := range c.axes[1] {
		for j, h := range c.axes[3] {
			t.ok[i*t.stride[1]+j] = d%h == 0 && d/h <= MaxHeadDim && (!rotary || d/h%2 == 0) && h%c.space.KVHeads(h) == 0
		}
	}
	return t
}

// MaxConstraintLen is the length of one constraint, in bytes.
const MaxConstraintLen = 1000

// constraintError says what is wrong with constraint number n, from 0, and where.
func constraintError(n int, text, problem string, column int) error {
	e := &Error{Input: fmt.Sprintf("constraint %d, %s", n+1, shorten(text)), Column: column, Problem: problem}
	return &fieldError{
		path:    fmt.Sprintf("constraints.%d", n),
		problem: "space: " + strings.TrimPrefix(e.Error(), "arch: "),
		cause:   e,
	}
}

// compileConstraint compiles constraint number n.
func compileConstraint(n int, text string) (*vm.Program, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, constraintError(n, text, "the expression is empty: write one such as d_inner/d_model >= 2", 0)
	case len(text) > MaxConstraintLen:
		return nil, constraintError(n, text, fmt.Sprintf("%d bytes are too long: at most %d", len(text), MaxConstraintLen), 0)
	}
	program, err := expr.Compile(text, constraintOptions...)
	if err != nil {
		problem, column := explain(err, variableNames)
		return nil, constraintError(n, text, problem, column)
	}
	return program, nil
}

// evaluate fills constraint number n's table.
func (c *Compiled) evaluate(n int, program *vm.Program) (table, error) {
	used := identifiers{}
	tree := program.Node()
	ast.Walk(&tree, &used)
	if used.axes&onKV != 0 {
		used.axes &^= onKV
		if c.space.HeadsPerKVHead > 1 {
			used.axes |= onHead
		}
	}
	t := newTable(c, used.axes)
	env := new(variables)
	var machine vm.VM
	for k := range t.ok {
		var i [4]int
		for a := range i {
			if t.stride[a] != 0 {
				i[a] = k / t.stride[a] % len(c.axes[a])
			}
		}
		if used.axes&(onModel|onHead) == onModel|onHead && !c.tables[0].at(i) {
			continue // no such model: nothing to evaluate
		}
		c.fill(env, c.at(i))
		out, err := machine.Run(program, env)
		if err != nil {
			problem, column := explain(err, variableNames)
			problem = fmt.Sprintf("%s (at %s)", problem, c.Spec(c.at(i)).Name())
			return table{}, constraintError(n, c.space.Constraints[n], problem, column)
		}
		ok, isBool := out.(bool)
		if !isBool {
			problem := fmt.Sprintf("it gives a value of type %T, and a constraint must give true or false", out)
			return table{}, constraintError(n, c.space.Constraints[n], problem, 0)
		}
		t.ok[k] = ok
	}
	return t, nil
}

var constraintOptions = expressionOptions(variables{})

// expressionOptions: a typed environment, so that a wrong name or type is found
// when compiling, a result that must be a bool, and numbers' builtins only.
func expressionOptions(env any) []expr.Option {
	options := []expr.Option{expr.Env(env), expr.AsBool(), expr.DisableAllBuiltins()}
	for _, f := range functions {
		options = append(options, expr.EnableBuiltin(f))
	}
	return options
}

// fill sets env to the counts at p, run as the build that c is compiled for. It uses the closed form of a homogeneous
// model, without building one; a test holds it equal to Spec's counts.
func (c *Compiled) fill(env *variables, p Point) {
	n, d, f := p.NLayer, p.DModel, p.DInner
	*env = variables{
		NLayer: n, DModel: d, DInner: f, NHead: p.NHead, NKVHead: c.space.KVHeads(p.NHead), HeadDim: d / p.NHead,
		Vocab: c.space.Vocab, Positions: c.space.Positions,
	}
	kv := d // width of keys, and of values: that of the queries but where heads share them
	if env.NKVHead != p.NHead {
		kv = env.NKVHead * env.HeadDim
	}
	var matrices, vectors, final int
	if families[c.space.Family].rotary {
		matrices, vectors, final = 2*d*d+2*d*kv+3*d*f, 2*d, d
		env.EmbeddingParams = c.space.Vocab * d
	} else {
		// Four products with their biases (3d, d, f, d) and two norms (4d).
		matrices, vectors, final = 4*d*d+2*d*f, 9*d+f, 2*d
		env.EmbeddingParams = (c.space.Vocab + c.space.Positions) * d
	}
	env.DecoderParams = n * (matrices + vectors)
	env.FlopsPerToken = 2 * (n*matrices + c.space.Vocab*d)
	env.KVBytesPerToken = 2 * n * kv * int(c.float.Bytes())
	env.TotalParams = env.DecoderParams + env.EmbeddingParams + final
	if c.space.Untied {
		env.TotalParams += c.space.Vocab * d
	}
}

// identifiers collects the axes that an expression depends on.
type identifiers struct{ axes uint }

func (v *identifiers) Visit(node *ast.Node) {
	id, ok := (*node).(*ast.IdentifierNode)
	switch {
	case ok && id.Value == "$env": // all variables at once
		v.axes = onLayer | onModel | onInner | onHead
	case ok:
		v.axes |= dependsOn[id.Value]
	}
}

var unknownName = regexp.MustCompile(`^unknown name (\S+)$`)

// explain turns an error of the expression library into a problem and the column
// where it is, counted from 1. known are the names that it could have used.
func explain(err error, known []string) (problem string, column int) {
	var at *file.Error
	if !errors.As(err, &at) {
		return err.Error(), 0
	}
	if m := unknownName.FindStringSubmatch(at.Message); m != nil {
		names := slices.Concat(known, functions)
		return fmt.Sprintf("unknown name %s: %s", m[1], didYouMean(m[1], names)), at.Column + 1
	}
	return at.Message, at.Column + 1
}
