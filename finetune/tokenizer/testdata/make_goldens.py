#!/usr/bin/env python3
"""Makes goldens.json and the small tokenizers beside it, with the libraries that
models are trained with. Only for whoever wants to make them anew; the tests read what
it has made.

  pip install tokenizers==0.22.2 sentencepiece==0.2.1
  python make_goldens.py SHARED_DATA

SHARED_DATA has llama2c/tokenizer.model, llama2c/phi3-llama-tokenizer.json.gz and
small-lm/tinyshakespeare.txt, on the first 60,000 characters of which the small ones
are trained. ids.NAME[i] are those of texts[i].
"""
import gzip, json, os, random, sys, tempfile

import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "", " ", "  ", "   ", "\n", "\t", "\r", "Hello", " Hello", "  Hello  world ", "Hello world", "Hello,\nworld!\r\n\r\n  x",
    "The quick brown fox jumps over the lazy dog.", "it's IT'S we'Ll I'm you're he'd they've don't",
    "1234567890 12 ½ ٣ Ⅻ 3.14e-10", "naïve café", "cafe\u0301 A\u030a \u212b \u1e9b\u0323", "漢字かなカナ한국어 中文，标点。",
    "ภาษาไทย", "हिन्दी क्षि", "עברית שלום مرحبا", "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽🦙", "𝒳𝕏 𐍈 😀😀",
    "\u0000\u0001\u007f", "\u00a0nbsp\u2003em\u3000ideo\u200bzw\ufeffbom", "▁under▁ ▁", "<s>hello</s>", "a<unk>b", "</s> x",
    "<0x0A>", "\ufffd", "\U0010ffff\ue000\ufdd0", "ﬁ ﬀ ＡＢＣ ①", "Z\u0338\u0327\u0354a\u0336", "a" * 41, "=" * 23 + "\n",
    "    indent\n\tdef f(x):\n        return x  # ok\n", "http://a.b/c?d=e&f=g#h", "\u2028line\u2029par\u0085nel", "a\n\n\nb \n \n c",
    "\x1c\x1d", "'\u017f '\u017f \u017f 's 'S", "“quotes” — dash… €", "first\tsecond\t\tthird", "...!?!?\n\n\n...", "x  y   z    w",
    "<|user|>\nhi<|end|>\n<|assistant|>\n  ok", "ab<ud>cd <ud> <ud>", "\u0130\u0131 ẞß Ǆ", "Ｔｈｅ\u3000ｋｉｎｇ  ", "\u0958 \u0915\u093c",
]
# Places where two ways to part the text are as good as each other, and chance.
TEXTS += ["-\x1c\u017fa\x1c\u0663\u2019--- \u6f22\rv\u200b\u0085 \u00a0", "--- ----- ---"]
SIGNS = "abZ\u00e9\u6f229\u00bd\u0663'\u2019\u017fsdtmlrev.,-\u20ac\U0001f600 \u00a0\u2028\t\n\r\u0085\u200b\u0301\x1c\u2126\u0345  \n"
RNG = random.Random(1)
TEXTS += ["".join(RNG.choice(SIGNS) for _ in range(RNG.randint(1, 60))) for _ in range(30)]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
OTHER = r"[A-Za-z]+(?=\s)|\p{L}\p{M}*|\s"


def byte_level(text, split, normalizer=None, digits=False, ignore=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore))
    steps = [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    if digits:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    t.pre_tokenizer = pre_tokenizers.Sequence(steps)
    t.decoder = decoders.ByteLevel()
    if normalizer:
        t.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator([text], trainer)
    t.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>", rstrip=True, special=True)])
    t.add_tokens([AddedToken("<ud>", normalized=False, lstrip=True), AddedToken("king", normalized=False, single_word=True)])
    return t


def metaspace(text, scheme, split):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    t.train_from_iterator(text.splitlines(), trainers.BpeTrainer(vocab_size=640, special_tokens=special, show_progress=False))
    # The bytes' names are no special tokens in a model's file.
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if a["id"] < 3]
    return Tokenizer.from_str(json.dumps(j))


def sentencepiece(text, **options):
    """Trains in the current folder: a model keeps the names of files, as they are given."""
    with open("in.txt", "w") as f:
        f.write(text)
    spm.SentencePieceTrainer.train(input="in.txt", model_prefix="out", minloglevel=2, num_threads=1, **options)
    with open("out.model", "rb") as f:
        return f.read()


def main():
    data, here = os.path.abspath(sys.argv[1]), os.path.dirname(os.path.abspath(__file__))
    text = open(os.path.join(data, "small-lm/tinyshakespeare.txt")).read()[:60000]
    ids = {}

    def hf(name, t, keep=True):
        ids[name] = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
        if keep:
            j = json.loads(t.to_str())
            with open(os.path.join(here, name), "w") as f:
                json.dump(j, f, ensure_ascii=False, separators=(",", ":"))

    def sp(name, model, keep=True):
        p = spm.SentencePieceProcessor(model_proto=model)
        ids[name] = [p.encode(x) for x in TEXTS]
        if keep:
            with open(os.path.join(here, name), "wb") as f:
                f.write(model)

    with gzip.open(os.path.join(data, "llama2c/phi3-llama-tokenizer.json.gz"), "rt") as f:
        hf("phi3", Tokenizer.from_str(f.read()), keep=False)
    with open(os.path.join(data, "llama2c/tokenizer.model"), "rb") as f:
        sp("llama2", f.read(), keep=False)
    hf("llama3.json", byte_level(text, LLAMA3, ignore=True))
    hf("qwen2.json", byte_level(text, QWEN2, normalizers.NFC()))
    hf("other.json", byte_level(text, OTHER, digits=True))
    for scheme in ("first", "always", "never"):
        hf(f"metaspace-{scheme}.json", metaspace(text, scheme, scheme == "always"))
    with tempfile.TemporaryDirectory() as dir:
        os.chdir(dir)
        with open("rules.tsv", "w") as f:  # code points in hexadecimal
            f.write("FF34\t54\nFF48\t68\nFF45\t65\n3000\t20\nFB01\t66 69\n65 301\tE9\nA0\t20\n7F\t\n9\t20\nA\t20\n")
        same = dict(normalization_rule_name="identity", remove_extra_whitespaces=False)
        sp("unigram.model", sentencepiece(text, vocab_size=500, model_type="unigram", normalization_rule_tsv="rules.tsv"))
        sp("bytes.model", sentencepiece(text, vocab_size=600, model_type="unigram", byte_fallback=True, **same))
        sp("bpe.model", sentencepiece(text, vocab_size=400, model_type="bpe", user_defined_symbols=["<ud>"], **same))
        sp("across.model", sentencepiece(text, vocab_size=400, model_type="bpe", split_by_whitespace=False, add_dummy_prefix=False, **same))
        os.chdir(here)
    with open(os.path.join(here, "goldens.json"), "w") as f:
        f.write("{\n\"texts\": " + json.dumps(TEXTS) + ",\n\"ids\": {\n")
        f.write(",\n".join(json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in ids.items()))
        f.write("\n}}\n")


main()
