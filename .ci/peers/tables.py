"""Lathe's truths as tables, for other implementations to search, and how their fronts are
judged. The folder is what this writes:
    go test ./search/nsga2 -run TestWriteTruths -truths FOLDER
"""

import json
import os
import statistics

import numpy as np


def spread(name, values):
    print(f"{name:8} median {statistics.median(values):.4f}, {min(values):.4f} to {max(values):.4f}", flush=True)


def front(f):
    """Places of the points that no other dominates, of two objectives to minimise."""
    order = np.lexsort((f[:, 1], f[:, 0]))
    best = np.minimum.accumulate(f[order, 1])
    keep = np.concatenate([[True], f[order, 1][1:] < best[:-1]])
    return order[keep]


def hypervolume(f, reference=1.1):
    """Of two objectives to minimise, within the reference point."""
    f = f[(f < reference).all(axis=1)]
    if len(f) == 0:
        return 0.0
    f = f[front(f)]  # from the least to the greatest of the first objective
    until = np.append(f[1:, 0], reference)
    return float(((until - f[:, 0]) * (reference - f[:, 1])).sum())


class Table:
    """One truth: -quality and latency of every genome by its place, the last gene's values
    the fastest. What is asked for is kept in order, each point once."""

    def __init__(self, folder, genes, name):
        self.genes = genes
        table = np.fromfile(os.path.join(folder, name), "<f8").reshape(-1, 3)
        self.true = np.column_stack([-table[:, 0], table[:, 1]])
        self.measured = np.column_stack([-table[:, 0], table[:, 2]])
        self.inside = ~np.isnan(table[:, 0])
        self.order, self.seen = [], set()

    def ask(self, places):
        for i in places:
            if self.inside[i] and i not in self.seen:
                self.seen.add(i)
                self.order.append(i)
        return self.measured[places]

    def shares(self, budgets):
        """Of the exact front's hypervolume, by what is true, that the fronts of what was
        measured have after so many points."""
        exact = self.true[self.inside]
        exact = exact[front(exact)]
        ideal, extent = exact.min(axis=0), np.ptp(exact, axis=0)
        for n in budgets:
            at = np.array(self.order[:n])
            chosen = at[front(self.measured[at])]
            yield hypervolume((self.true[chosen] - ideal) / extent) / hypervolume((exact - ideal) / extent)


def tables(folder):
    with open(os.path.join(folder, "truths.json")) as f:
        meta = json.load(f)
    for name in meta["tables"]:
        yield Table(folder, meta["genes"], name)
