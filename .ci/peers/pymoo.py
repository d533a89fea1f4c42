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
        differ; by populations, with pymoo's own distribution indices, 15 and 20, and with
        the 3 that its guide has for integers. Lathe's:
            go test ./search/nsga2 -run '^$' -bench Truths -benchtime 1x -v
"""

import os
import sys

from tables import spread, tables

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
    """What is not in the space breaks a constraint, and costs nothing."""

    def __init__(self, table):
        self.table = table
        super().__init__(n_var=len(table.genes), n_obj=2, n_ieq_constr=1, xl=0, xu=np.array(table.genes) - 1, vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        at = np.ravel_multi_index(x.astype(int).T, self.table.genes)
        out["F"] = np.nan_to_num(self.table.ask(at.tolist()), nan=0)
        out["G"] = np.where(self.table.inside[at], -1.0, 1.0)[:, None]


def truths(folder, budgets=(60, 300, 1200), settings=((10, 15, 20), (20, 15, 20), (40, 15, 20), (10, 3, 3), (12, 3, 3), (20, 3, 3))):
    for size, crossover, mutation in settings:
        got = {n: [] for n in budgets}
        for seed, table in enumerate(tables(folder)):
            algorithm = NSGA2(
                pop_size=size, sampling=IntegerRandomSampling(), eliminate_duplicates=True,
                crossover=SBX(prob=0.9, eta=crossover, vtype=float, repair=RoundingRepair()),
                mutation=PM(eta=mutation, vtype=float, repair=RoundingRepair()),
            )
            algorithm.setup(Truth(table), seed=seed + 1)
            for _ in range(100000):  # generations; points that were seen cost nothing
                if len(table.order) >= max(budgets) or not algorithm.has_next():
                    break
                algorithm.next()
            for n, share in zip(budgets, table.shares(budgets)):
                got[n].append(share)
        for n in budgets:
            spread(f"{size:3} {crossover:2} {n:4}", got[n])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["problems", *rest]:
            problems(*rest)
        case ["truths", folder]:
            truths(folder)
        case _:
            sys.exit(__doc__)
