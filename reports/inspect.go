package reports

import (
	"cmp"
	"fmt"
	"io"
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
	t.add("depth", count(r.Depth, "node"))
	cycles := "none"
	if r.Graph == nil {
		cycles = none
	} else if len(r.Cycles) > 0 {
		cycles = fmt.Sprint(len(r.Cycles))
	}
	t.add("cycles", cycles)
	if r.Constants.Tensors > 0 {
		t.add("constants", fmt.Sprintf("%s in nodes, %s", count(r.Constants.Tensors, "tensor"), scaled(r.Constants.Bytes, "B")))
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

func inspectValues(r *inspect.Report) *table {
	t := &table{columns: []column{{"", true}, {"name", true}, {"type", true}, {"shape", true}}}
	for _, v := range r.Inputs {
		name := v.Name
		if v.Default {
			if r.IRVersion < irDefaults {
				continue // a weight
			}
			name += " " + t.note("may be left out: the file has a value for it")
		}
		t.add("input", name, v.Type, shapeText(v.Shape))
	}
	for _, v := range r.Outputs {
		t.add("output", v.Name, v.Type, shapeText(v.Shape))
	}
	return t
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
		t.remarks = append(t.remarks, count(r.SparseInitializers, "sparse initializer")+" left out.")
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
