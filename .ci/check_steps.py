#!/usr/bin/env python3
"""Looks at the graphs of training steps with onnx's tools: each passes the checker with
full shape inference (but for LLaMA style, whose norm is ONNX Runtime's own), and onnx's
reference evaluator, which rounds every result to its type, computes the losses and
gradients that Lathe computed on a CPU, from operators of float with roundings between (but
for recurrent layers, whose reverse pass is a Scan that it does not have).

    go test ./finetune -run TestWriteSteps -steps FOLDER
    check_steps.py FOLDER
"""
import json
import pathlib
import sys

import ml_dtypes
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

# Of the largest element of a tensor: sums are made in other orders, and what lies near the
# middle of two values of a type is then rounded to the other.
NEAR = {"fp32": 2e-5, "fp16": 4e-3, "bf16": 4e-2}
TYPES = {1: np.float32, 7: np.int64, 9: np.bool_, 10: np.float16, 16: ml_dtypes.bfloat16}


class FusedMatMul(OpRun):
    op_domain = "com.microsoft"

    def _run(self, a, b, alpha=None, transA=None, transB=None, **_):
        x, y = a.astype(np.float32), b.astype(np.float32)
        if transA:
            x = np.swapaxes(x, -1, -2)
        if transB:
            y = np.swapaxes(y, -1, -2)
        return ((x @ y * np.float32(1 if alpha is None else alpha)).astype(a.dtype),)


class Gemm(OpRun):
    """A product is summed up in float and rounded once, as a GPU does it."""

    def _run(self, a, b, c=None, alpha=None, beta=None, transA=None, transB=None):
        x, y = a.astype(np.float32), b.astype(np.float32)
        z = (x.T if transA else x) @ (y.T if transB else y) * np.float32(1 if alpha is None else alpha)
        if c is not None:
            z = z + c.astype(np.float32) * np.float32(1 if beta is None else beta)
        return (z.astype(a.dtype),)


class MatMul(OpRun):
    def _run(self, a, b):
        return ((a.astype(np.float32) @ b.astype(np.float32)).astype(a.dtype),)


class LayerNormalization(OpRun):
    """onnx's own drops the statistics."""

    def _run(self, x, scale, bias=None, axis=None, epsilon=None, stash_type=None):
        mean = x.mean(-1, keepdims=True)
        inverse = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + np.float32(epsilon))
        return ((x - mean) * inverse * scale + bias, mean, inverse)


class SimplifiedLayerNormalization(OpRun):
    def _run(self, x, scale, axis=None, epsilon=None, stash_type=None):
        inverse = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon))
        return (x * inverse * scale, inverse)


def main(folder):
    worst, failures = {}, 0
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        model, data = onnx.load(path), json.loads(path.with_suffix(".json").read_text())
        compute = path.stem.rsplit("-", 1)[1]
        own = any(n.op_type == "SimplifiedLayerNormalization" for n in model.graph.node)
        if not own:  # the checker does not know ONNX Runtime's operator in ONNX's domain
            onnx.checker.check_model(model, full_check=True)
        elements = {v.type.tensor_type.elem_type for v in model.graph.value_info}
        short = {"fp16": 10, "bf16": 16}.get(compute)
        if short is not None and short not in elements:
            print(f"{path.name}: nothing is of {compute}")
            failures += 1
        if any(n.op_type == "Scan" for n in model.graph.node):
            print(f"{path.name}: checked")  # the evaluator has no Scan from the last step to the first
            continue
        fed = {k: np.array(v["Data"], np.float64).astype(TYPES[v["Type"]]).reshape(v["Shape"] or []) for k, v in data["inputs"].items()}
        names = list(data["outputs"])
        ops = [FusedMatMul, Gemm, MatMul, LayerNormalization, SimplifiedLayerNormalization]
        got = dict(zip(names, ReferenceEvaluator(model, new_ops=ops).run(names, fed)))
        off = 0.0
        for name in names:
            want = np.array(data["outputs"][name], np.float64)
            diff = np.abs(np.asarray(got[name], np.float64).ravel() - want).max() / max(np.abs(want).max(), 1e-6)
            off = max(off, float(diff))
            if not diff <= NEAR[compute]:
                print(f"{path.name}: {name} is {diff:.2g} off")
                failures += 1
        worst[compute] = max(worst.get(compute, 0), off)
        print(f"{path.name}: {'' if own else 'checked, '}{len(names)} results, at most {off:.2g} off")
    if not worst or failures:
        sys.exit(f"{failures} failures")
    print("worst:", ", ".join(f"{k} {v:.2g}" for k, v in worst.items()))


if __name__ == "__main__":
    main(sys.argv[1])
