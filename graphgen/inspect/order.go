package inspect

import (
	"slices"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"lathe/graphgen/onnxpb"
)

// maxCyclic bounds the search for the cycles themselves: gonum's is recursive, and
// a file can have a cycle through everything that is in it.
const maxCyclic = 20_000

// measure fills in what the topology says, and what is wrong with it.
func (r *Report) measure(g *Graph, gp *onnxpb.GraphProto, s *surveyed) {
	given := map[string]bool{} // values that no node makes
	for _, v := range gp.Input {
		given[v.Name] = true
	}
	for _, t := range gp.Initializer {
		given[t.Name] = true
	}
	for _, name := range s.sparse {
		given[name] = true
	}
	touched := make([]bool, len(g.values))
	for edges := g.Edges(); edges.Next(); {
		e := edges.Edge()
		if g.isFake(e.To().ID()) {
			continue
		}
		touched[e.From().ID()], touched[e.To().ID()] = true, true
		r.Edges++
	}
	for id, v := range g.values {
		switch {
		case g.isFake(int64(id)):
			continue
		case v.twice:
			r.problem("value %q is made by more than one node", v.name)
		case v.node >= 0 && given[v.name]:
			r.problem("value %q is an input or an initializer, and a node makes it too", v.name)
		case v.node < 0 && !given[v.name] && touched[id]:
			r.problem("value %q is read, and nothing makes it", v.name)
		case v.node < 0 && !given[v.name]:
			r.problem("output %q is made by nothing", v.name)
		}
		if v.node >= 0 || touched[id] {
			r.Values++
		}
	}
	depth, cyclic := g.depths()
	r.Depth = depth
	r.Cycles = append(r.Cycles, g.cycles(cyclic)...)
	for _, c := range r.Cycles {
		r.problem("a cycle: %d values depend on each other, %q among them", len(c), c[0])
	}
	if len(cyclic) > 0 && len(r.Cycles) == 0 {
		r.problem("cycles: %d values are in some or between some, %q among them", len(cyclic), g.values[cyclic[0]].name)
	}
}

// depths finds the longest path in nodes, over all values that are in no cycle and
// depend on none; and the values that are in cycles or on a path between two.
//
// Note: gonum's topo.Sort would give the order, but it is recursive: a chain of
// some millions of nodes, which is a file of some megabytes, ends the process.
func (g *Graph) depths() (deepest int, cyclic []int64) {
	depth := make([]int, len(g.values))
	inputs, readers := make([]int, len(g.values)), make([]int, len(g.values))
	var ready []int64
	for id := range g.values {
		inputs[id] = g.From(int64(id)).Len()
		if inputs[id] == 0 {
			ready = append(ready, int64(id))
		}
	}
	left := make([]bool, len(g.values))
	for id := range left {
		left[id] = true
	}
	for len(ready) > 0 {
		id := ready[len(ready)-1]
		ready, left[id] = ready[:len(ready)-1], false
		if g.values[id].node >= 0 {
			depth[id]++ // the node that makes it
		}
		deepest = max(deepest, depth[id])
		for to := g.To(id); to.Next(); {
			reader := to.Node().ID()
			depth[reader] = max(depth[reader], depth[id])
			if inputs[reader]--; inputs[reader] == 0 {
				ready = append(ready, reader)
			}
		}
	}
	// What is left is in a cycle or after one; those after all cycles go, from the
	// last.
	for id := range g.values {
		for to := g.To(int64(id)); left[id] && to.Next(); {
			readers[id]++ // all of which are left as well
		}
		if left[id] && readers[id] == 0 {
			ready = append(ready, int64(id))
		}
	}
	for len(ready) > 0 {
		id := ready[len(ready)-1]
		ready, left[id] = ready[:len(ready)-1], false
		for from := g.From(id); from.Next(); {
			in := from.Node().ID()
			if readers[in]--; readers[in] == 0 {
				ready = append(ready, in)
			}
		}
	}
	for id, l := range left {
		if l {
			cyclic = append(cyclic, int64(id))
		}
	}
	return deepest, cyclic
}

// cycles are the sets of values that depend on each other, each in the file's
// order, those of nodes that read their own output first. They are left out if
// they are too many to be looked at.
func (g *Graph) cycles(among []int64) (all [][]string) {
	slices.Sort(g.loops)
	for _, id := range slices.Compact(g.loops) {
		all = append(all, []string{g.values[id].name})
	}
	if len(among) == 0 || len(among) > maxCyclic {
		return all
	}
	part := simple.NewDirectedGraph()
	for _, id := range among {
		part.AddNode(g.Node(id))
	}
	for _, id := range among {
		for from := g.From(id); from.Next(); {
			if in := from.Node(); part.Node(in.ID()) != nil {
				part.SetEdge(part.NewEdge(g.Node(id), in))
			}
		}
	}
	var sets [][]int64
	for _, scc := range topo.TarjanSCC(part) {
		if len(scc) < 2 {
			continue
		}
		ids := make([]int64, len(scc))
		for i, n := range scc {
			ids[i] = n.ID()
		}
		slices.Sort(ids)
		sets = append(sets, ids)
	}
	slices.SortFunc(sets, slices.Compare)
	for _, ids := range sets {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i] = g.values[id].name
		}
		all = append(all, names)
	}
	return all
}

var _ graph.DirectedWeightedBuilder = (*Graph)(nil)
