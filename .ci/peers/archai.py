#!/usr/bin/env python3
"""Archai's EvolutionParetoSearch, which is Lite-Transformer-Search by its authors, on
Lathe's truths. By hand, no test. It needs archai 1.0.0 without what that asks for
(pip install --no-deps archai==1.0.0) and numpy, pandas, matplotlib, pyyaml, tqdm and
overrides 3.1.0.

    archai.py FOLDER [SETTING=VALUE...]

The share of the exact front's hypervolume that the front of what was measured has by what
is true of it, after 60 and 300 evaluations of points that differ. FOLDER: see tables.py.

Settings of Archai's, and its defaults: init_num_models=10 num_random_mix=5
max_unseen_population=100 mutations_per_parent=1 num_crossovers=5. num_iters is as many as
there are evaluations. The operators are those of its TransformerFlexSearchSpace: each gene
is drawn anew with mutation_prob=0.3, and crossed by taking each from either parent.
"""

import importlib.util
import logging
import os
import random
import sys
import tempfile

from tables import spread, tables

# This file has the name of what it imports: its folder must not come first.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
import archai
from archai.discrete_search.api.archai_model import ArchaiModel
from archai.discrete_search.api.model_evaluator import ModelEvaluator
from archai.discrete_search.api.search_objectives import SearchObjectives
from archai.discrete_search.api.search_space import EvolutionarySearchSpace
from overrides import overrides

# By its file: the package imports all its other searchers, and torch and ray with them.
spec = importlib.util.spec_from_file_location(
    "evolution_pareto", os.path.join(os.path.dirname(archai.__file__), "discrete_search/algos/evolution_pareto.py"))
evolution_pareto = importlib.util.module_from_spec(spec)
spec.loader.exec_module(evolution_pareto)
evolution_pareto.tqdm = lambda x, **_: x
logging.disable(logging.INFO)


class Space(EvolutionarySearchSpace):
    def __init__(self, table, seed, mutation_prob=0.3):
        self.table, self.rng, self.mutation_prob = table, random.Random(seed), mutation_prob

    def model(self, genes):
        place = int(np.ravel_multi_index(genes, self.table.genes))
        return ArchaiModel(arch=None, archid=str(place), metadata={"genes": genes, "place": place})

    @overrides
    def random_sample(self):
        while True:
            m = self.model([self.rng.randrange(n) for n in self.table.genes])
            if self.table.inside[m.metadata["place"]]:
                return m

    @overrides
    def mutate(self, arch):
        return self.model([
            self.rng.randrange(n) if self.rng.random() < self.mutation_prob else g
            for g, n in zip(arch.metadata["genes"], self.table.genes)
        ])

    @overrides
    def crossover(self, arch_list):
        return self.model([self.rng.choice(pair) for pair in zip(*(a.metadata["genes"] for a in arch_list))])

    # Nothing is saved.
    @overrides
    def save_arch(self, model, file_path): ...
    @overrides
    def load_arch(self, file_path): ...
    @overrides
    def save_model_weights(self, model, file_path): ...
    @overrides
    def load_model_weights(self, model, file_path): ...


class Objective(ModelEvaluator):
    def __init__(self, table, column):
        self.table, self.column = table, column

    @overrides
    def evaluate(self, arch, budget=None):
        return float(self.table.ask([arch.metadata["place"]])[0, self.column])


class Inside(ModelEvaluator):
    def __init__(self, table):
        self.table = table

    @overrides
    def evaluate(self, arch, budget=None):
        return float(self.table.inside[arch.metadata["place"]])


class Enough(Exception):
    pass


def search(table, seed, most, mutation_prob=0.3, **settings):
    so = SearchObjectives()
    so.add_objective("loss", Objective(table, 0), higher_is_better=False)
    so.add_objective("latency", Objective(table, 1), higher_is_better=False)
    so.add_constraint("inside", Inside(table), (1, 1))
    with tempfile.TemporaryDirectory() as out:
        s = evolution_pareto.EvolutionParetoSearch(
            Space(table, seed, mutation_prob), so, out, num_iters=most, seed=seed, save_pareto_model_weights=False, **settings)

        def enough(iteration):
            if len(table.order) >= most:
                raise Enough

        s.subscribe_start_iteration(enough)
        # Tables and plots of every iteration would take most of the time.
        for name in ["save_search_state", "save_pareto_frontier_models", "save_all_2d_pareto_evolution_plots"]:
            setattr(s.search_state, name, lambda *_, **__: None)
        try:
            s.search()
        except Enough:
            pass


def main(folder, *args, budgets=(60, 300)):
    settings = {k: float(v) if k == "mutation_prob" else int(v) for k, v in (a.split("=") for a in args)}
    got = {n: [] for n in budgets}
    for seed, table in enumerate(tables(folder)):
        search(table, seed + 1, max(budgets), **settings)
        for n, share in zip(budgets, table.shares(budgets)):
            got[n].append(share)
    for n in budgets:
        spread(f"{n:4}", got[n])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
