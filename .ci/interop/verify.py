"""What lathe verify says of folders that Optimum wrote.

GPT-2, LLaMA and Qwen2 models of random weights are exported by Optimum. Each folder has
to pass, by its own weights and against the folder that it was exported from, and its
latency has to be measured beside Lathe's bundle of the same weights. Damaged, it has to
fail the check that is about the damage, and against another model's weights those of
logits.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import onnx
import torch
from optimum.onnxruntime import ORTModelForCausalLM
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from lathe import LATHE

warnings.filterwarnings("ignore")
BASE = dict(vocab_size=300, bos_token_id=0, eos_token_id=0)


def models():
    yield "gpt2", GPT2LMHeadModel(GPT2Config(**BASE, n_positions=256, n_embd=64, n_layer=3, n_head=4))
    common = dict(BASE, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, max_position_embeddings=256, pad_token_id=None)
    yield "llama", LlamaForCausalLM(LlamaConfig(**common))
    yield "qwen2", Qwen2ForCausalLM(Qwen2Config(**common))


def verify(folder, *args):
    """The exit status, and the names of the checks that failed and that passed."""
    run = subprocess.run([LATHE, "verify", "--json", "-q", str(folder), *map(str, args)], capture_output=True, text=True)
    if run.returncode not in (0, 3):
        raise SystemExit(f"lathe verify {folder}: exit status {run.returncode}: {run.stderr}")
    checks = json.loads(run.stdout)["checks"]
    by = {s: {c["check"] for c in checks if c["status"] == s} for s in ("passed", "failed")}
    return run.returncode, by["failed"], by["passed"]


def swap_caches(folder):
    """The keys of two layers change names."""
    path = str(folder / "model.onnx")
    model = onnx.load(path)
    names = {"past_key_values.0.key": "past_key_values.1.key", "past_key_values.1.key": "past_key_values.0.key"}
    for value in model.graph.input:
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
    onnx.save(model, path)


def config(key, by):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: by}))
    return change


def cut(folder):
    path = folder / "model.onnx"
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])


def main():
    faults, checked = [], 0
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        exported = []
        for seed, (kind, model) in enumerate(models()):
            torch.manual_seed(seed)
            model.apply(model._init_weights)
            source, folder, ours = tmp / f"{kind}-hf", tmp / kind, tmp / f"{kind}-ours"
            model.save_pretrained(source)
            ORTModelForCausalLM.from_pretrained(source, export=True).save_pretrained(folder)
            subprocess.run([LATHE, "export", source, "--tokenizer", "none", "--for", "optimum", "-o", ours, "-q"],
                           check=True, capture_output=True)
            exported.append((kind, folder, source, ours))
        for kind, folder, source, ours in exported:
            other = next(s for k, _, s, _ in exported if k != kind)
            damages = {"swapped caches": (swap_caches, {"steps"}), "layers": (config(
                "n_layer" if kind == "gpt2" else "num_hidden_layers", 5), {"config"}), "half a file": (cut, {"files"})}
            want = {"files", "config", "feeds_optimum", "session", "logits", "tokens", "steps", "left_padding"}
            for args in [(), ("--source", source), ("--source", source, "--baseline", ours, "--requests", 20)]:
                code, failed, passed = verify(folder, *args)
                needed = want | ({"latency_char_p95"} if "--baseline" in args else set())
                checked += 1
                if code != 0 or failed or not needed <= passed:
                    faults.append(f"{kind} {args}: status {code}, failed {failed}, did not pass {needed - passed}")
            code, failed, _ = verify(folder, "--source", other)
            checked += 1
            if code != 3 or "logits" not in failed:
                faults.append(f"{kind} against another model: status {code}, failed {failed}")
            for what, (damage, needed) in damages.items():
                hurt = tmp / f"{kind}-hurt"
                shutil.copytree(folder, hurt)
                damage(hurt)
                code, failed, _ = verify(hurt, "--source", source)
                checked += 1
                if code != 3 or not needed <= failed:
                    faults.append(f"{kind}, {what}: status {code}, failed {failed}, want {needed}")
                shutil.rmtree(hurt)
    for f in faults:
        print(f)
    print(f"{checked - len(faults)} of {checked} folders are judged as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
