package reports

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"lathe/graphgen/inspect"
)

// InspectTables writes what is in an ONNX file: one table for the file, and one
// each for its operators, inputs and outputs, initializers and external data.
// top bounds the initializers that are listed; 0 lists all.
func InspectTables(w io.Writer, style Style, r *inspect.Report, top int) error {
	tables := []*table{inspectSummary(r), inspectOperators(r), inspectValues(r), inspectTotals(r), inspectInitializers(r, top), inspectExternal(r)}
	first := true
	for _, t := range tables {
		if len(t.rows) == 0 {
			continue
		}
		if !first {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		first = false
		if err := t.write(w, style); err != nil {
			return err
		}
	}
	bullet := map[Style]string{Markdown: "- "}[style]
	for i, p := range r.Problems {
		if i == 0 {
			bullet = "\n" + bullet
		}
		if _, err := fmt.Fprintf(w, "%sproblem: %s\n", bullet, strings.ReplaceAll(p, "\n", " ")); err != nil {
			return err
		}
		bullet = strings.TrimPrefix(bullet, "\n")
	}
	return nil
}

// domainName writes ONNX's own domain as the standard names it.
func domainName(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

func inspectSummary(r *inspect.Report) *table {
	t := &table{columns: []column{{"file", true}, {r.Path, true}}}
	if c := r.Candidate; c != nil {
		switch {
		case c.Recognised != "":
			why := append([]string{"found by what the graph computes"}, c.Notes...)
			if c.Spec != c.Name {
				why = append(why, c.Spec)
			}
			t.add("spec", c.Name+" "+t.note(strings.Join(why, "; ")))
		case c.Agrees:
			t.add("candidate", c.Name)
		case c.Name != "":
			t.add("candidate", c.Name+" "+t.note("not lowered as this version does it: "+fewOf(c.Differences, 3)))
		default:
			t.add("spec", c.Spec+" "+t.note("the file is not shown to be it: "+fewOf(c.Differences, 3)))
		}
		if c.TotalParams > 0 {
			t.add("decoder_params", grouped(c.DecoderParams))
			t.add("total_params", grouped(c.TotalParams))
		}
	}
	t.add("size", grouped(r.Bytes)+" B")
	t.add("IR version", fmt.Sprint(r.IRVersion))
	var opsets []string
	for _, o := range r.Opsets {
		opsets = append(opsets, fmt.Sprintf("%s %d", domainName(o.Domain), o.Version))
	}
	t.add("opsets", cmp.Or(strings.Join(opsets, ", "), none))
	t.add("producer", cmp.Or(strings.TrimSpace(r.Producer+" "+r.ProducerVersion), none))
	if r.GraphName != "" {
		t.add("graph", r.GraphName)
	}
	t.add("nodes", grouped(int64(r.Nodes)))
	if r.Subgraphs > 0 {
		t.add("subgraphs", grouped(int64(r.Subgraphs)))
	}
	if r.Functions > 0 {
		t.add("functions", grouped(int64(r.Functions)))
	}
	t.add("values", fmt.Sprintf("%s, with %s edges", grouped(int64(r.Values)), grouped(int64(r.Edges))))
	t.add("depth", Count(r.Depth, "node"))
	cycles := "none"
	if r.Graph == nil {
		cycles = none
	} else if len(r.Cycles) > 0 {
		cycles = fmt.Sprint(len(r.Cycles))
	}
	t.add("cycles", cycles)
	if r.Constants.Tensors > 0 {
		t.add("constants", fmt.Sprintf("%s in nodes, %s", Count(r.Constants.Tensors, "tensor"), scaled(r.Constants.Bytes, "B")))
	}
	for _, p := range r.Metadata {
		t.add("metadata "+p.Key, p.Value)
	}
	return t
}

// fewOf joins the first of a list.
func fewOf(list []string, n int) string {
	if len(list) > n {
		return strings.Join(list[:n], "; ") + fmt.Sprintf("; and %d more", len(list)-n)
	}
	return strings.Join(list, "; ")
}

func inspectOperators(r *inspect.Report) *table {
	t := &table{columns: []column{{"operator", true}, {"domain", true}, {"nodes", false}}}
	if nested := r.Subgraphs+r.Functions > 0; nested {
		t.columns = append(t.columns, column{"in subgraphs", false})
	}
	for _, o := range r.Operators {
		cells := []string{o.Op, domainName(o.Domain), grouped(int64(o.Count)), grouped(int64(o.Nested))}
		t.add(cells[:len(t.columns)]...)
	}
	return t
}

// irDefaults is the IR version from which on initializers need not be inputs too.
const irDefaults = 4

// InspectValues writes the inputs and outputs alone.
func InspectValues(w io.Writer, style Style, r *inspect.Report) error {
	return inspectValues(r).write(w, style)
}

func inspectValues(r *inspect.Report) *table {
	t := &table{columns: []column{{"", true}, {"name", true}, {"type", true}, {"shape", true}}}
	var inputs []inspect.Value
	for _, v := range r.Inputs {
		if !v.Default || r.IRVersion >= irDefaults { // or it is a weight
			inputs = append(inputs, v)
		}
	}
	for _, in := range alike(inputs) {
		name := in.name
		if in.value.Default {
			name += " " + t.note("may be left out: the file has a value for it")
		}
		t.add("input", name, in.value.Type, shapeText(in.value.Shape))
	}
	for _, out := range alike(r.Outputs) {
		t.add("output", out.name, out.value.Type, shapeText(out.value.Shape))
	}
	return t
}

// named is a value, or several that are alike but for a number in their names.
type named struct {
	name  string
	value inspect.Value
}

var number = regexp.MustCompile(`[0-9]+`)

// alike joins values of the same type and shape whose names differ in their first
// number alone, as a cache's do: past_key_values.{0..11}.key. Numbers that do not
// follow each other, and fewer than three, stay apart.
func alike(values []inspect.Value) (all []named) {
	type family struct{ before, after, kind string }
	of := func(v inspect.Value) (f family, n int) {
		at := number.FindStringIndex(v.Name)
		if at == nil {
			return family{}, -1
		}
		n, err := strconv.Atoi(v.Name[at[0]:at[1]])
		if err != nil || strconv.Itoa(n) != v.Name[at[0]:at[1]] {
			return family{}, -1
		}
		return family{v.Name[:at[0]], v.Name[at[1]:], fmt.Sprint(v.Type, shapeText(v.Shape), v.Default)}, n
	}
	numbers := map[family][]int{}
	for _, v := range values {
		if f, n := of(v); n >= 0 {
			numbers[f] = append(numbers[f], n)
		}
	}
	for _, v := range values {
		f, n := of(v)
		run := numbers[f]
		joined := n >= 0 && len(run) >= 3
		for i := range run {
			joined = joined && run[i] == run[0]+i
		}
		switch {
		case !joined:
			all = append(all, named{v.Name, v})
		case n == run[0]:
			all = append(all, named{fmt.Sprintf("%s{%d..%d}%s", f.before, n, run[len(run)-1], f.after), v})
		}
	}
	return all
}

func shapeText(shape []inspect.Dim) string {
	if shape == nil {
		return "?"
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		switch {
		case d.Symbol != "":
			parts[i] = d.Symbol
		case d.N < 0:
			parts[i] = "?"
		default:
			parts[i] = fmt.Sprint(d.N)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func inspectTotals(r *inspect.Report) *table {
	t := &table{columns: []column{{"initializers", true}, {"tensors", false}, {"elements", false}, {"bytes", false}, {"", false}}}
	var all inspect.TypeTotal
	for _, s := range r.Totals {
		t.add(s.Type, grouped(int64(s.Tensors)), grouped(s.Elements), grouped(s.Bytes), scaled(s.Bytes, "B"))
		all.Tensors, all.Elements, all.Bytes = all.Tensors+s.Tensors, all.Elements+s.Elements, all.Bytes+s.Bytes
	}
	if len(r.Totals) > 1 {
		t.add(totalRow, grouped(int64(all.Tensors)), grouped(all.Elements), grouped(all.Bytes), scaled(all.Bytes, "B"))
	}
	if r.SparseInitializers > 0 {
		t.remarks = append(t.remarks, Count(r.SparseInitializers, "sparse initializer")+" left out.")
	}
	return t
}

func inspectInitializers(r *inspect.Report, top int) *table {
	t := &table{columns: []column{{"largest", true}, {"type", true}, {"shape", true}, {"bytes", false}, {"", false}, {"in", true}}}
	for i, in := range r.Initializers {
		if top > 0 && i == top {
			t.remarks = append(t.remarks, fmt.Sprintf("%s of %s are listed.", grouped(int64(top)), grouped(int64(len(r.Initializers)))))
			break
		}
		where := "the model"
		if in.Location != "" {
			where = fmt.Sprintf("%s at %s", in.Location, grouped(in.Offset))
		}
		name := in.Name
		if in.Subgraph {
			name += " " + t.note("of a subgraph")
		}
		t.add(name, in.Type, strings.ReplaceAll(fmt.Sprint(in.Shape), " ", ", "), grouped(in.Bytes), scaled(in.Bytes, "B"), where)
	}
	return t
}

func inspectExternal(r *inspect.Report) *table {
	t := &table{columns: []column{{"external data", true}, {"tensors", false}, {"ends at", false}, {"bytes", false}, {"", true}}}
	for _, e := range r.External {
		size, state := none, "not whole"
		if e.Bytes >= 0 {
			size = grouped(e.Bytes)
		}
		if e.Whole {
			state = "whole"
		}
		t.add(e.Location, grouped(int64(e.Tensors)), grouped(e.Needed), size, state)
	}
	return t
}
