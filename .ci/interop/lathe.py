"""What the scripts beside this one share: Lathe's command, its graphs run by
onnxruntime's own Python package, and small architectures drawn at random.

LATHE is the binary; ./run builds it.
"""
import os
import subprocess

import numpy as np
import onnxruntime as ort

LATHE = os.environ.get("LATHE", "lathe")


def lathe(*args):
    """Runs a command that has to succeed, and returns what it wrote."""
    done = subprocess.run([LATHE, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"lathe {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


class Graph:
    """A graph with its cache: feed() takes what follows what it was fed before."""

    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: i for i in self.session.get_inputs()}
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.reset()

    def reset(self):
        self.mask, self.past = None, {}

    def feed(self, ids, mask=None):
        """Logits [batch, tokens, vocab] of ids [batch, tokens]; mask has a 0 for padding."""
        ids = np.asarray(ids, np.int64)
        mask = np.ones_like(ids) if mask is None else np.asarray(mask, np.int64)
        self.mask = mask if self.mask is None else np.concatenate([self.mask, mask], axis=1)
        positions = np.maximum(self.mask.cumsum(axis=1) - 1, 0)[:, -ids.shape[1]:]
        feeds = {"input_ids": ids, "attention_mask": self.mask, "position_ids": positions}
        for name, i in self.inputs.items():
            if name.startswith("past_key_values."):
                empty = np.zeros((len(ids), i.shape[1], 0, i.shape[3]), np.float32)
                feeds[name] = self.past.get(name, empty)
        out = dict(zip(self.outputs, self.session.run(None, feeds)))
        self.past = {n.replace("present", "past_key_values"): v for n, v in out.items() if n != "logits"}
        return out["logits"]


def difference(a, b):
    """The largest difference, over the largest magnitude of b: logits that are all
    small do not pass for that."""
    return float(np.abs(a - b).max() / np.abs(b).max())


class Architecture:
    """One drawn at random. kind: gpt2, llama, mistral or qwen2; rope: none, linear or
    llama3."""

    def __init__(self, rng, kind, rope="none"):
        self.kind, self.rope = kind, rope
        self.layers = rng.randint(1, 3)
        self.kv = rng.choice([1, 2, 3])
        self.heads = self.kv * rng.choice([1, 2, 3])
        self.head_dim = rng.choice([8, 16, 24, 32, 40, 6, 22])
        self.d = self.heads * self.head_dim
        if kind == "gpt2":
            self.kv = self.heads
        elif kind != "qwen2" and rng.random() < 0.6:  # heads of a size of their own
            self.d = 2 * rng.randint(12, 60)
            if kind == "llama":  # LlamaConfig wants this, of transformers 5
                self.d = self.heads * rng.randint(5, 30)
        self.inner = rng.randint(20, 200)
        self.vocab = rng.randint(50, 400)
        self.positions = rng.choice([96, 200, 512])
        self.tied = rng.random() < 0.5
        self.eps = rng.choice([1e-5, 1e-6, 3e-3])
        self.base = rng.choice([10000.0, 500000.0, 123.5])

    def dialects(self):
        """Those that take its heads."""
        return ["portable"] if self.head_dim % 8 else ["portable", "fused"]

    def scaling(self):
        """As transformers has it."""
        if self.rope == "linear":
            return {"rope_type": "linear", "factor": 2.5}
        if self.rope == "llama3":
            return {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": self.positions // 3}
        return None

    def yaml(self, dialect):
        """As Lathe has it, a candidate in a dialect."""
        lines = [f"family: {'gpt2' if self.kind == 'gpt2' else 'llama'}", f"vocab: {self.vocab}", f"positions: {self.positions}",
                 f"d_model: {self.d}", f"n_layer: {self.layers}", f"d_inner: {self.inner}", f"n_head: {self.heads}",
                 f"untied: {str(not self.tied).lower()}", f"norm_eps: {self.eps:.10f}"]
        if self.kind != "gpt2":
            lines += [f"n_kv_head: {self.kv}", f"head_dim: {self.head_dim}", f"rope_base: {self.base}"]
            lines += ["qkv_bias: true"] if self.kind == "qwen2" else []
            scaling = self.scaling()
            if scaling:
                old = scaling.pop("original_max_position_embeddings", None)
                scaling["type"] = scaling.pop("rope_type")
                if old:
                    scaling["original_positions"] = old
                lines += ["rope_scaling:"] + [f"  {k}: {v}" for k, v in scaling.items()]
        return f"build: {{dialect: {dialect}}}\nspec:\n" + "".join(f"  {line}\n" for line in lines)

    def __str__(self):
        size = f"l{self.layers} d{self.d} f{self.inner} h{self.heads} kv{self.kv} hd{self.head_dim} v{self.vocab} p{self.positions}"
        return f"{self.kind} {size} {'tied' if self.tied else 'untied'} eps {self.eps:g}" + \
            ("" if self.kind == "gpt2" else f" base {self.base:g} rope {self.rope}")


def architectures(rng):
    """Twelve: every kind, every kind of rotary positions."""
    kinds = [("gpt2", "none")] * 4 + [("llama", "none"), ("llama", "linear"), ("llama", "llama3"), ("llama", "none"),
                                      ("mistral", "none"), ("mistral", "linear"), ("qwen2", "none"), ("qwen2", "llama3")]
    return [Architecture(rng, *k) for k in kinds]
