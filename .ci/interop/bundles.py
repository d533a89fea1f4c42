"""What `lathe export` writes in Optimum, transformers.js and onnxruntime-genai.

A GPT-2 and a LLaMA are trained for some seconds on made-up sentences; with LATHE_SHARED
set there is llama2.c's model of 260 K parameters too. Each is exported for each loader
and for all in one folder, in fp32, int4 and what else a folder may hold. The loaders
open the folders as they are, and generate greedily: every token is the one that Lathe's
own decoder generated from the written file, which lathe.json has. Optimum's batches of
prompts of several lengths, padded on the left, and genai's, padded in its own way, give
the tokens of each prompt alone. The loaders' tokenizers give Lathe's ids of some hundred
lines. Needs what folders.py needs, onnxruntime-genai and optimum-onnx; and where NODE
names a folder with @huggingface/transformers in its node_modules, Node.
Usage: bundles.py [SEED]
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime_genai as og
import optimum.onnxruntime
import torch
import transformers
from transformers import AutoTokenizer

from lathe import lathe

HERE = pathlib.Path(__file__).resolve().parent
MORE = 24  # tokens generated behind prompts of batches


def sentences(rng, n):
    """Made-up, with much that repeats: what a model learns in seconds."""
    who = ["the boss", "Ann", "our team", "a customer", "Bob"]
    does = ["sent", "wants", "will read", "has lost", "asked for"]
    what = ["the report", "two invoices", "an answer", "the plan for May", "more time"]
    when = ["today", "on Monday", "at 9:30", "before lunch", "next week"]
    return [f"{rng.choice(who)} {rng.choice(does)} {rng.choice(what)} {rng.choice(when)}.".capitalize() for _ in range(n)]


def odd_lines(rng, n):
    """Lines for tokenizers: sentences, and what keyboards and clipboards hold."""
    odd = ["", " ", "  two  spaces ", "tab\there", "naïve façade", "日本語のテキスト", "🙂👍🏽", "don't I'll we've", "1,000.50 €", "a\u00a0b",
           "x" * 50, "CamelCaseWords", "https://example.org/?q=1&r=2", "\u200bzero width", "ß ẞ ﬁ", "\n", "line\nline\r\nline", "...!?", "<s>", "</s> <|endoftext|>"]
    return odd + [s if rng.random() < 0.5 else s.upper() + "  " + rng.choice(odd) for s in sentences(rng, n)]


def ours(tokenizer, lines, work):
    """Lathe's ids of lines."""
    given, out = work / "lines.json", work / "ids.json"
    given.write_text(json.dumps(lines))
    subprocess.run(["go", "test", "-C", HERE.parent.parent / "finetune" / "tokenizer", "-count=1", "-run", "^TestWriteIDs$", ".",
                    "-tokenizer", tokenizer, "-lines", given, "-ids", out], check=True, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())


class Report:
    def __init__(self):
        self.runs = self.wrong = 0

    def same(self, what, got, want):
        self.runs += 1
        if list(got) != list(want):
            self.wrong += 1
            print(f"  {what} DIFFERS: {list(got)}, not {list(want)}", flush=True)


def special_ids(line):
    """Lines with names of special tokens: loaders take the names for the tokens."""
    return any(s in line for s in ("<s>", "</s>", "<|endoftext|>", "<unk>"))


def by_optimum(report, dir, entry, first, lines, ids):
    args = {} if first else {"file_name": pathlib.Path(entry["file"]).name}
    model = optimum.onnxruntime.ORTModelForCausalLM.from_pretrained(dir, **args)
    want = entry["generates"]
    n = len(want["tokens"])
    name = f"optimum, {entry['file']}"
    got = model.generate(torch.tensor([want["prompt"]]), attention_mask=torch.ones(1, len(want["prompt"]), dtype=torch.long), max_new_tokens=n)
    report.same(name, got[0].tolist()[len(want["prompt"]):][:n], want["tokens"])
    tokenizer = AutoTokenizer.from_pretrained(dir)
    texts = ["The boss", "Ann wants the plan for", "Bob", "A customer has lost two invoices before"]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    assert not bool(batch["attention_mask"][0, 0]), "the first prompt is not padded on the left"
    together = model.generate(**batch, max_new_tokens=MORE)[:, batch["input_ids"].shape[1]:]
    for text, row in zip(texts, together.tolist()):
        one = tokenizer(text, return_tensors="pt")
        alone = model.generate(**one, max_new_tokens=MORE)[0, one["input_ids"].shape[1]:].tolist()
        report.same(f"{name}, {text!r} in a batch", row[:len(alone)], alone)
    for line, want in zip(lines, ids):
        if not special_ids(line):
            report.same(f"{name}, ids of {line!r}", tokenizer(line, add_special_tokens=False)["input_ids"], want)


def by_genai(report, dir, entry, lines, ids, begins):
    model = og.Model(str(dir))
    tokenizer = og.Tokenizer(model)
    want = entry["generates"]
    name = f"genai, {entry['file']}"

    def go(prompts, n):
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=max(map(len, prompts)) + n, batch_size=len(prompts))
        generator = og.Generator(model, params)
        longest = max(map(len, prompts))
        pad = tokenizer.pad_token_id
        generator.append_tokens(np.array([p + [pad] * (longest - len(p)) for p in prompts], np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return [[int(t) for t in generator.get_sequence(i)][longest:] for i in range(len(prompts))]

    n = len(want["tokens"])
    report.same(name, go([want["prompt"]], n)[0], want["tokens"])
    prompts = [[int(t) for t in tokenizer.encode(t)] for t in ("Bob", "Ann wants the plan for", "A customer has lost two invoices before")]
    for i, row in enumerate(go(prompts, MORE)):
        alone = go([prompts[i]], MORE)[0]
        report.same(f"{name}, prompt {i} in a batch", row[:len(alone)], alone)
    for line, want in zip(lines, ids):
        if line and not special_ids(line):
            report.same(f"{name}, ids of {line!r}", tokenizer.encode(line).tolist(), want)
    if begins:
        tokenizer.update_options(add_special_tokens="true")
        report.same(f"{name}, the token before a text", tokenizer.encode("Bob").tolist()[:1], [tokenizer.bos_token_id])


def by_js(report, jobs):
    """All folders in one run of Node."""
    node = os.environ.get("NODE")
    if not node:
        print("transformers.js: NODE names no folder; left out")
        return
    script = pathlib.Path(node) / "bundles.mjs"
    script.write_text((HERE / "bundles.mjs").read_text())  # which looks for packages from where it is
    done = subprocess.run(["node", script], input=json.dumps([j["job"] for j in jobs]), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"node: exit {done.returncode}\n{done.stderr[-4000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    print(f"transformers.js {answer['version']}, onnxruntime-node {answer['onnxruntime']}")
    for j, got in zip(jobs, answer["results"]):
        name = f"transformers.js, {j['name']}"
        report.same(name, got["tokens"], j["tokens"])
        report.same(f"{name}, the pipeline", [got["text"]], [got["decoded"]])
        for i, row in enumerate(got["batch"]):
            report.same(f"{name}, prompt {i} in a batch", row, got["alone"][i])
        for line, have, want in zip(j["job"]["lines"], got["ids"], j["ids"]):
            report.same(f"{name}, ids of {line!r}", have, want)


EXPORTS = [  # loaders, candidate's build, precisions
    ("optimum,transformers.js,genai", "", "fp32"), ("optimum,transformers.js,genai", "", "q4"),
    ("optimum,transformers.js", "", "fp32,fp16,int8,q4,q4f16"), ("transformers.js", "", "q4"), ("transformers.js", "+fused", "fp32,q4"),
    ("optimum", "", "fp32,int8,q4"), ("optimum", "+portable+int8dyn", ""),
    ("genai", "", "fp32"), ("genai", "", "q4"), ("genai", "", "int8"), ("genai", "", "fp16"), ("genai", "+portable", "q4"), ("genai", "+fused+int4b128asym", ""),
]


def sources(work, rng):
    """Models and their tokenizers: (name, path, tokenizer)."""
    text = work / "text.txt"
    text.write_text("\n".join(sentences(rng, 4000)) + "\n")
    lathe("tokenizer", text, "-o", work / "bpe", "--vocab", 320)
    for name in ("gpt2-l2-d64-f256-h4-v320-p128", "llama-l2-d64-f192-h4-kv2-v320-p128"):
        lathe("train", name, "--text", text, "--tokenizer", work / "bpe", "--steps", 120, "--sequence", 64, "--lr", "5e-3", "-o", work / name)
        yield name, work / name, work / name
    shared = os.environ.get("LATHE_SHARED")
    if shared:
        data = pathlib.Path(shared) / "data" / "llama2c"
        yield "stories260K", data / "stories260K.bin", data / "tok512.bin"


def main():
    transformers.utils.logging.disable_progress_bar()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rng = random.Random(seed)
    print(f"optimum-onnx with transformers {transformers.__version__}, onnxruntime-genai {og.__version__}")
    report, jobs = Report(), []
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        for name, path, tokenizer in sources(work, rng):
            lines = odd_lines(rng, 250)
            ids = ours(tokenizer, lines, work)
            prompt = work / "prompt.txt"
            for i, (loaders, build, precisions) in enumerate(EXPORTS):
                prompt.write_text(" ".join(sentences(rng, 12)))
                dir = work / f"{name}-{i}"
                args = [build, "--weights", path] if build else [path]
                args += ["--precisions", precisions] if precisions else []
                lathe("export", *args, "-o", dir, "--for", loaders, "--tokenizer", tokenizer, "--text", prompt)
                manifest = json.loads((dir / "lathe.json").read_text())
                before, also = report.wrong, i < 1  # tokenizers are the same in all of them
                for k, entry in enumerate(manifest["models"]):
                    plain = [l for l in lines if not special_ids(l)]
                    if "optimum" in loaders:
                        by_optimum(report, dir, entry, k == 0, lines if also else [], ids)
                    if "genai" in loaders:
                        by_genai(report, dir, entry, lines if also else [], ids, manifest.get("begins_text"))
                    if "transformers.js" in loaders:
                        jobs.append({
                            "name": f"{name} {build} {entry['file']}", "tokens": entry["generates"]["tokens"],
                            "ids": [x for x, l in zip(ids, lines) if not special_ids(l)],
                            "job": {"dir": str(dir), "dtype": entry["dtype"], "prompt": entry["generates"]["prompt"], "n": len(entry["generates"]["tokens"]),
                                    "lines": plain if also else [], "batch": [] if "+fused" in build else ["Bob", "Ann wants the plan for", "A customer has lost two invoices before"],
                                    "more": MORE}})
                print(f"{name}{build} for {loaders}, {', '.join(e['dtype'] for e in manifest['models'])}: {'DIFFERS' if report.wrong > before else 'all agree'}", flush=True)
        by_js(report, jobs)
    print(f"{report.wrong} of {report.runs} comparisons differ")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
