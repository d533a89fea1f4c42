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
import sentencepiece
import torch
import transformers
from transformers import AutoTokenizer

from lathe import Graph, lathe

HERE = pathlib.Path(__file__).resolve().parent
MORE = 24  # tokens generated behind prompts of batches
TIE = 0.02  # of the largest logit: so near are the two likeliest of a tie


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
        self.runs = self.wrong = self.ties = 0

    def row(self, what, got, alone, prompt, graph):
        """A prompt's tokens in a batch and alone. Products of quantized weights round
        otherwise with more rows, so where the first tokens that differ are about as likely,
        it is a tie."""
        at = next((i for i, (a, b) in enumerate(zip(got, alone)) if a != b), None)
        if at is not None:
            graph.reset()
            logits = graph.feed([list(prompt) + list(alone[:at])])[0, -1]
            gap = float(logits[alone[at]] - logits[got[at]]) / float(np.abs(logits).max())
            if gap < TIE:
                self.runs, self.ties = self.runs + 1, self.ties + 1
                return
            what += f" by a gap of {gap:.3f}"
        self.same(what, got, alone)

    def same(self, what, got, want):
        self.runs += 1
        if list(got) != list(want):
            self.wrong += 1
            print(f"  {what} DIFFERS: {list(got)}, not {list(want)}", flush=True)


def special_ids(line):
    """Lines with names of special tokens: loaders take the names for the tokens."""
    return any(s in line for s in ("<s>", "</s>", "<|endoftext|>", "<unk>"))


def by_optimum(report, dir, entry, first, lines):
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
    graph = Graph(dir / entry["file"])
    for text, row in zip(texts, together.tolist() if "int8dyn" not in entry["candidate"] else []):
        one = tokenizer(text, return_tensors="pt")
        alone = model.generate(**one, max_new_tokens=MORE)[0, one["input_ids"].shape[1]:].tolist()
        report.row(f"{name}, {text!r} in a batch", row[:len(alone)], alone, one["input_ids"][0].tolist(), graph)
    for line, want in lines:
        report.same(f"{name}, ids of {line!r}", tokenizer(line, add_special_tokens=False)["input_ids"], want)


def by_genai(report, dir, entry, lines, begins):
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
    ends = set(tokenizer.eos_token_ids)  # one that ends a text is not in genai's sequence
    report.same(name, go([want["prompt"]], n)[0], [t for t in want["tokens"] if t not in ends])
    graph = Graph(dir / entry["file"])
    prompts = [[int(t) for t in tokenizer.encode(t)] for t in ("Bob", "Ann wants the plan for", "A customer has lost two invoices before")]
    for i, row in enumerate(go(prompts, MORE)):
        alone = go([prompts[i]], MORE)[0]
        report.row(f"{name}, prompt {i} in a batch", row[:len(alone)], alone, prompts[i], graph)
    for line, want in lines:
        if line:  # it takes no empty one
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
            report.row(f"{name}, prompt {i} in a batch", row, got["alone"][i], got["prompts"][i], Graph(j["file"]))
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


def pieces(work, kind, rng):
    """A SentencePiece model and its size: Unigram as T5 has it, or BPE as Llama 2."""
    text = work / "pieces.txt"
    text.write_text("\n".join(sentences(rng, 3000) + odd_lines(rng, 0)))
    how = {} if kind == "unigram" else {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(work / kind), vocab_size=300, hard_vocab_limit=False, character_coverage=0.98, model_type=kind, minloglevel=2, **how)
    model = work / f"{kind}.model"
    return model, sentencepiece.SentencePieceProcessor(model_file=str(model)).get_piece_size()


DIFFERING = """spec:
  family: %s
  vocab: 320
  positions: 128
  d_model: 64
  layers:
    - {n_head: %d, d_inner: 96}
    - {n_head: %d, d_inner: 160}
"""  # layers of several sizes, and who opens them
EXPORTS_DIFFERING = [(("gpt2", 4, 4), "optimum,transformers.js,genai", ""), (("gpt2", 2, 8), "transformers.js,genai", ""), (("llama", 4, 2), "transformers.js", ""), (("llama", 8, 2), "genai", "q4")]


def one(report, jobs, work, name, args, loaders, precisions, tokenizer, rng, lines, ids):
    """An export, and what its loaders make of it; Node's are noted as jobs."""
    dir = work / f"bundle-{len(jobs)}-{report.runs}"
    prompt = work / "prompt.txt"
    prompt.write_text(" ".join(sentences(rng, 12)))
    args = [*args, "--precisions", precisions] if precisions else args
    lathe("export", *args, "-o", dir, "--for", loaders, "--tokenizer", tokenizer, "--text", prompt)
    manifest = json.loads((dir / "lathe.json").read_text())
    before = report.wrong
    plain = [(l, x) for l, x in zip(lines, ids) if not special_ids(l)]
    for k, entry in enumerate(manifest["models"]):
        if "optimum" in loaders:
            by_optimum(report, dir, entry, k == 0, plain if k == 0 else [])
        if "genai" in loaders:
            by_genai(report, dir, entry, plain if k == 0 else [], manifest.get("begins_text"))
        if "transformers.js" in loaders:
            texts = [] if "+fused" in name else ["Bob", "Ann wants the plan for", "A customer has lost two invoices before"]
            jobs.append({
                "name": f"{name} {entry['file']}", "file": dir / entry["file"], "tokens": entry["generates"]["tokens"], "ids": [x for _, x in plain],
                "job": {"dir": str(dir), "dtype": entry["dtype"], "prompt": entry["generates"]["prompt"], "n": len(entry["generates"]["tokens"]),
                        "lines": [l for l, _ in plain], "batch": texts, "more": MORE}})
    print(f"{name} for {loaders}, {', '.join(e['dtype'] for e in manifest['models'])}: {'DIFFERS' if report.wrong > before else 'all agree'}", flush=True)


def main():
    transformers.utils.logging.disable_progress_bar()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rng = random.Random(seed)
    print(f"optimum-onnx with transformers {transformers.__version__}, onnxruntime-genai {og.__version__}")
    report, jobs = Report(), []
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        bpe = None
        for name, path, tokenizer in sources(work, rng):
            bpe = bpe or tokenizer
            lines = odd_lines(rng, 250)
            ids = ours(tokenizer, lines, work)
            for i, (loaders, build, precisions) in enumerate(EXPORTS):
                args = [build, "--weights", path] if build else [path]
                one(report, jobs, work, f"{name}{build}", args, loaders, precisions, tokenizer, rng, *((lines, ids) if i == 0 else ([], [])))
        for kind in ("unigram", "bpe"):
            model, size = pieces(work, kind, rng)
            # Of fifty x in a row, a Unigram model has several partings that are as good as each other.
            lines = [l for l in odd_lines(rng, 250) if kind == "bpe" or "xxxx" not in l]
            one(report, jobs, work, f"SentencePiece's {kind}", [f"gpt2-l1-d32-f64-h2-v{size}-p256", "--weights", "random"], "optimum,transformers.js,genai", "", model, rng, lines, ours(model, lines, work))
        for (family, a, b), loaders, precisions in EXPORTS_DIFFERING:
            (work / "differing.yaml").write_text(DIFFERING % (family, a, b))
            one(report, jobs, work, f"{family} with {a} and {b} heads", [work / "differing.yaml", "--weights", "random"], loaders, precisions, bpe, rng, [], [])
        by_js(report, jobs)
    print(f"{report.wrong} of {report.runs} comparisons differ; {report.ties} are ties of two tokens about as likely")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
