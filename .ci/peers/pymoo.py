#!/usr/bin/env python3
"""NSGA-II of pymoo, to compare Lathe's with. Needs pymoo and numpy; by hand, no test.

    pymoo.py problems [SEEDS [NAME...]]
        ZDT1 to 4, ZDT6 and DTLZ2: 25,000 evaluations in generations of 100, pymoo's
        defaults; the hypervolume of the last population within 1.1 in every objective:
        median, least and most over the seeds. Lathe's:
            go test ./search/nsga2 -run '^$' -bench Problems -benchtime 1x -v

    pymoo.py truths FOLDER
        Lathe's truths, as tables of what is true of every point and of what measuring it
        gives, which this writes:
            go test ./search/nsga2 -run TestWriteTruths -truths FOLDER
        The share of the exact front's hypervolume that the front of what was measured
        has by what is true of it, after 60, 300 and 1,200 evaluations of points that
        differ. Lathe's:
            go test ./search/nsga2 -run '^$' -bench Truths -benchtime 1x -v
"""

import json
import os
import statistics
import sys

# This file has the name of what it imports: its folder must not come first.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.indicators.hv import HV
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize
from pymoo.problems import get_problem
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting


def spread(name, values):
    print(f"{name:8} median {statistics.median(values):.4f}, {min(values):.4f} to {max(values):.4f}", flush=True)


def problems(seeds=20, *names):
    for name in names or ["zdt1", "zdt2", "zdt3", "zdt4", "zdt6", "dtlz2"]:
        problem = get_problem(name, n_var=12, n_obj=3) if name == "dtlz2" else get_problem(name)
        got = []
        for seed in range(int(seeds)):
            res = minimize(problem, NSGA2(pop_size=100), ("n_gen", 250), seed=seed + 1)
            assert res.algorithm.evaluator.n_eval == 25000
            got.append(float(HV(ref_point=np.full(problem.n_obj, 1.1))(res.F)))
        spread(name, got)


class Truth(Problem):
    """A table by index. A point is evaluated once; what is evaluated is kept in the order
    in which it was asked for. What is not in the space breaks a constraint, and costs
    nothing."""

    def __init__(self, folder, meta, name):
        self.shape = meta["genes"]
        table = np.fromfile(os.path.join(folder, name), "<f8").reshape(-1, 3)
        self.quality, self.true, self.measured = table.T
        self.order, self.seen = [], set()
        super().__init__(n_var=len(self.shape), n_obj=2, n_ieq_constr=1, xl=0, xu=np.array(self.shape) - 1, vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        at = np.ravel_multi_index(x.astype(int).T, self.shape)
        outside = np.isnan(self.quality[at])
        for i in at[~outside].tolist():
            if i not in self.seen:
                self.seen.add(i)
                self.order.append(i)
        out["F"] = np.nan_to_num(np.column_stack([-self.quality[at], self.measured[at]]), nan=0)
        out["G"] = np.where(outside, 1.0, -1.0)[:, None]


def front(f):
    """Places of the points that no other dominates, of two objectives."""
    order = np.lexsort((f[:, 1], f[:, 0]))
    best = np.minimum.accumulate(f[order, 1])
    keep = np.concatenate([[True], f[order, 1][1:] < best[:-1]])
    return order[keep]


def truths(folder, budgets=(60, 300, 1200), sizes=(10, 20, 40)):
    meta = json.load(open(os.path.join(folder, "truths.json")))
    for size in sizes:
        got = {n: [] for n in budgets}
        for seed, name in enumerate(meta["tables"]):
            problem = Truth(folder, meta, name)
            algorithm = NSGA2(
                pop_size=size, sampling=IntegerRandomSampling(), eliminate_duplicates=True,
                crossover=SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair()),
                mutation=PM(eta=20, vtype=float, repair=RoundingRepair()),
            )
            algorithm.setup(problem, seed=seed + 1)
            for _ in range(100000):  # generations; points that were seen cost nothing
                if len(problem.order) >= max(budgets) or not algorithm.has_next():
                    break
                algorithm.next()
            true = np.column_stack([-problem.quality, problem.true])
            exact = true[~np.isnan(problem.quality)]
            exact = exact[front(exact)]
            ideal, extent = exact.min(axis=0), np.ptp(exact, axis=0)
            hv = HV(ref_point=np.full(2, 1.1))
            for n in budgets:
                at = np.array(problem.order[:n])
                chosen = at[front(np.column_stack([-problem.quality[at], problem.measured[at]]))]
                got[n].append(float(hv((true[chosen] - ideal) / extent) / hv((exact - ideal) / extent)))
        for n in budgets:
            spread(f"{size:3} {n:4}", got[n])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["problems", *rest]:
            problems(*rest)
        case ["truths", folder]:
            truths(folder)
        case _:
            sys.exit(__doc__)
