"""`lathe eval` beside transformers: perplexity in sliding windows, and last words.

Models that transformers made, with a tokenizer that Hugging Face's tokenizers trained,
are scored on documents of made-up words: by Lathe from the folder, in batches, in the
default build and in the portable one, and here by transformers, one window after the
other as its documentation has it, in float64 behind the logits. Likewise the last words
of passages, right where greedy generation writes them. With LATHE_SHARED set, also
llama2.c's model of 260 K parameters on the first stories of the TinyStories sample,
tokens and all; it prints the figures that finetune/eval's tests hold.
Needs what folders.py needs. Usage: eval.py [SEED]
"""
import json
import math
import os
import pathlib
import random
import struct
import sys
import tempfile

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM

from folders import made
from lathe import architectures, lathe

TOLERANCE = 1e-5  # of the logarithm of a perplexity


@torch.no_grad()
def likelihoods(model, ids):
    """Minus the logarithm of the probability of each token but the first, and whether it
    is the likeliest."""
    logits = model(torch.tensor([ids[:-1]])).logits[0]
    nll = -torch.log_softmax(logits.double(), -1)
    return nll[range(len(ids) - 1), ids[1:]].tolist(), (logits.argmax(-1) == torch.tensor(ids[1:])).tolist()


def perplexity(model, documents, context, stride):
    nll, right = [], []
    for ids in documents:
        previous = 0
        for begin in range(0, len(ids), stride):
            end = min(begin + context, len(ids))
            target = end - previous
            if end - begin > 1:
                n, r = likelihoods(model, ids[begin:end])
                nll += n[-target:]  # all of them, where the first token is among the targets
                right += r[-target:]
            previous = end
            if end == len(ids):
                break
    return math.exp(math.fsum(nll) / len(nll)), sum(right) / len(right), len(nll)


def last_words(model, passages):
    nll, right = [], 0
    for ids, word in passages:
        n, _ = likelihoods(model, ids)
        nll.append(math.fsum(n[-word:]))
        out = model.generate(torch.tensor([ids[:-word]]), max_new_tokens=word, min_new_tokens=word, do_sample=False, num_beams=1,
                             attention_mask=torch.ones(1, len(ids) - word, dtype=torch.long), pad_token_id=0, suppress_tokens=None)
        right += out[0, -word:].tolist() == ids[-word:]
    return math.exp(math.fsum(nll) / len(nll)), right / len(passages)


def compare(what, got, want):
    """Reports and checks figures by name: perplexities to the tolerance, counts and
    shares exactly."""
    for name, w in want.items():
        g = got[name]
        off = abs(math.log(g / w)) if "perplexity" in name else abs(g - w)
        if off > (TOLERANCE if "perplexity" in name else 1e-9):
            raise SystemExit(f"{what}: {name} is {g}, want {w}")
    print(f"{what}: " + ", ".join(f"{n} {w:.8g}" for n, w in want.items()))


def words(rng, n):
    return [rng.choice(["ba", "ké", "ri", "Mo", "tu", "日", "s"]) * rng.randint(1, 3) + rng.choice(["", "n", "x.", ","]) for _ in range(n)]


def trained(rng, size, begin):
    """A byte-level tokenizer of so many tokens, with <s> or without."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<s>"] if begin else ["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([" ".join(words(rng, 2000))], trainer)
    return tokenizer


def random_models(rng, seed, work):
    for i, a in enumerate(architectures(rng)):
        dir = work / str(i)
        dir.mkdir()
        begin = i % 2 == 0
        tokenizer = trained(rng, 290 + rng.randrange(40), begin)
        a.vocab = tokenizer.get_vocab_size() + rng.randrange(30)
        model = made(a, seed + i)
        model.save_pretrained(dir)
        tokenizer.save(str(dir / "tokenizer.json"))
        encode = lambda text: ([tokenizer.token_to_id("<s>")] if begin else []) + tokenizer.encode(text, add_special_tokens=False).ids
        texts = [" ".join(words(rng, rng.choice([1, 3, 20, 90]))) for _ in range(14)]
        (work / "text.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        context = rng.randint(8, 90)
        stride = rng.choice([context, context // 2, rng.randint(1, context)])
        ppl, top1, tokens = perplexity(model, [encode(t) for t in texts], context, stride)
        passages, lines = [], []
        for _ in range(12):
            text = " ".join(words(rng, rng.randint(2, 12)))
            word = len(tokenizer.encode(text[text.rindex(" "):], add_special_tokens=False).ids)
            ids = encode(text)[-a.positions:]
            if len(ids) <= 90:
                passages.append((ids, word))
                lines.append(json.dumps({"text": text}) + "\n")
        (work / "lambada.jsonl").write_text("".join(lines))
        word_ppl, accuracy = last_words(model, passages)
        for dialect in a.dialects():
            out = json.loads(lathe("eval", f"+{dialect}", "--weights", dir, "--text", work / "text.jsonl", "--context", context, "--stride", stride,
                                   "--batch", rng.randint(1, 9), "--json"))["results"][0]["perplexity"]
            compare(f"{a} {dialect}, windows of {context}, {stride} apart", out, {"perplexity": ppl, "top1": top1, "tokens": tokens})
            out = json.loads(lathe("eval", f"+{dialect}", "--weights", dir, "--lambada", work / "lambada.jsonl", "--json"))["results"][0]["lambada"]
            compare("  last words", out, {"perplexity": word_ppl, "accuracy": accuracy, "passages": len(passages)})


class Llama2C:
    """The tokenizer of llama2.c, after its run.c: the best pair of neighbours is merged
    until none is in the vocabulary."""

    def __init__(self, path):
        data = path.read_bytes()
        at, self.pieces, self.scores = 4, [], []
        while at < len(data):
            score, n = struct.unpack_from("<fi", data, at)
            self.pieces.append(data[at + 8:at + 8 + n])
            self.scores.append(score)
            at += 8 + n
        self.ids = {p: i for i, p in reversed(list(enumerate(self.pieces)))}

    def encode(self, text):
        ids = [self.ids[b" "]] if text else []
        for c in text:
            c = c.encode()
            ids += [self.ids[c]] if c in self.ids else [b + 3 for b in c]
        while True:
            best = max(((self.scores[self.ids[m]], -i) for i in range(len(ids) - 1) if (m := self.pieces[ids[i]] + self.pieces[ids[i + 1]]) in self.ids), default=None)
            if best is None:
                return ids
            i = -best[1]
            ids[i:i + 2] = [self.ids[self.pieces[ids[i]] + self.pieces[ids[i + 1]]]]


def stories(data, work):
    dir, checkpoint, tok = work / "stories", data / "llama2c/stories260K.bin", data / "llama2c/tok512.bin"
    lathe("emit", "--weights", checkpoint, "--format", "safetensors", "-o", dir)
    model = AutoModelForCausalLM.from_pretrained(dir).eval()
    tokenizer = Llama2C(tok)
    first = [s.strip() for s in (data / "small-lm/tinystories_sample.txt").read_text().split("<|endoftext|>")]
    first = [s for s in first if s][:20]
    documents = [[1] + tokenizer.encode(s) for s in first]
    for context, stride in [(256, 128), (128, 128), (512, 512)]:
        ppl, top1, tokens = perplexity(model, documents, context, stride)
        out = json.loads(lathe("eval", checkpoint, "--tokenizer", tok, "--text", data / "small-lm/tinystories_sample.txt", "--limit", 20,
                               "--context", context, "--stride", stride, "--json"))["results"][0]["perplexity"]
        compare(f"stories260K, windows of {context}, {stride} apart", out, {"perplexity": ppl, "top1": top1, "tokens": tokens})
        bits = math.log2(ppl) * tokens / sum(len(s.encode()) for s in first)
        if context == 512 and abs(out["bits_per_byte"] - bits) > 1e-5:
            raise SystemExit(f"bits a byte {out['bits_per_byte']}, want {bits}")
    passages = []
    lines = (data / "lambada/lambada_test.jsonl").read_text().splitlines()[:100]
    (work / "lambada.jsonl").write_text("\n".join(lines))
    for line in lines:
        text = json.loads(line)["text"]
        ids, before = [1] + tokenizer.encode(text), [1] + tokenizer.encode(text[:text.rindex(" ")])
        passages.append((ids[-512:], len(ids) - len(before)))
    ppl, accuracy = last_words(model, passages)
    out = json.loads(lathe("eval", checkpoint, "--tokenizer", tok, "--lambada", work / "lambada.jsonl", "--json"))["results"][0]["lambada"]
    compare("stories260K, LAMBADA", out, {"perplexity": ppl, "accuracy": accuracy, "passages": len(passages)})


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        random_models(random.Random(seed), seed, work)
        if "LATHE_SHARED" in os.environ:
            stories(pathlib.Path(os.environ["LATHE_SHARED"]) / "data", work)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
