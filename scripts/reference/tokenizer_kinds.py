"""Ids, places and texts of every kind of tokenizer.json, by Hugging Face's Rust library.

    python scripts/reference/tokenizer_kinds.py

Trains four small vocabularies and runs a multilingual list of texts through every normalizer, pre-tokenizer, post-processor and
decoder over them. Writes test/reference/tokenizer-kinds.json.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

N, P, D, PP = normalizers, pre_tokenizers, decoders, processors

SENTENCES = """The quick brown fox doesn't jump over 12 lazy dogs; it's 3:45 pm, we'll see.
Der Fluß fließt größer als je zuvor über die Brücke.
Où est le cœur de l'été, à côté du garçon naïf ?
¿Dónde está el niño? ¡Mañana será otro día!
Быстрая коричневая лиса прыгает через ленивую собаку.
Η γρήγορη καφέ αλεπού πηδάει. ΑΣ ΣΑΣ ὈΔΥΣΣΕΎΣ
النص العربي مكتوب من اليمين ١٢٣٤ إلى اليسار.
עברית נכתבת מימין לשמאל.
तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।
ஒரு விரைவான பழுப்பு நரி சோம்பேறி நாயை தாண்டுகிறது.
快速的棕色狐狸跳过了懒狗。
速い茶色の狐がのろまな犬を飛び越える。カタカナ、です。
빠른 갈색 여우가 게으른 개를 뛰어넘는다.
สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัข
Tiếng Việt có nhiều dấu thanh điệu.
İstanbul'da ılık bir gün ve şehir ışıl ışıl.
def main(x):\n    return {"a": [1, 22, 333, 4444]}  # ok""".split("\n")

TEXTS = SENTENCES + [
    "Add ½ cup", "see ³", "a ² b", "Louis Ⅳ ①x", "'ſ IT'S we'LL \u212ag", "\ufeffx \ufeff y", "\u0085 x\u0085", "x\u200by\u00a0z \u2028",
    "", " ", "   a  b   ", "a\n\n\n b\r\n\r\n c\t\td \n", "trailing  ", "e\u0301 é ﬁ ﷺ ㌀ ﬆ ẞ", "각 각 ᄀᄀᆨ", "😀 👨‍👩‍👧 🇩🇪 👍🏽",
    "a\u0000b\u0007c\ufffdd", "ࢌࢍ a߽b ࣛ a⹏b a፨b", "▁x ▁▁ y▁z", "<0x0A> <0xE2><0x96>", "<|im_start|>user\nHi<|im_end|>\n", "a<mask>b <mask> c",
    "<s> x </s>y", "Tool Tools aTool Tool.", "x<r>  y<r>\n z", "don\u0301 don", "foo_bar-baz.qux(1,2)!?", "a, b . c ' d n't do not", "aaaaaaaaaaaaaaaaaaaa", "Ġhello Ċ",
]

ADDED = [
    AddedToken("<mask>", lstrip=True, normalized=False, special=True), AddedToken("<|im_start|>", normalized=False, special=True),
    AddedToken("<|im_end|>", normalized=False, special=True), AddedToken("</s>", normalized=False, special=True),
    AddedToken("<r>", rstrip=True, normalized=True), AddedToken("Tool", single_word=True, normalized=True),
    AddedToken("don\u0301", normalized=True), AddedToken("\n\n", normalized=False),
]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


def split(pattern, behavior="isolated", invert=False):
    return P.Split(Regex(pattern), behavior, invert)


def words(*steps):
    return P.Sequence([*steps, P.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2(**options):
    return P.ByteLevel(add_prefix_space=False, **options)


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]

BYTE_LEVEL = {
    "gpt2": dict(pre=gpt2()),
    "gpt2 with a first space": dict(pre=P.ByteLevel(add_prefix_space=True), post=PP.RobertaProcessing(("</s>", 2), ("<s>", 1))),
    "llama3": dict(pre=words(split(LLAMA3)), ignore_merges=True),
    "qwen2": dict(norm=N.NFC(), pre=words(split(LLAMA3.replace("{1,3}", "")))),
    "o200k": dict(pre=words(split(O200K))),
    "deepseek v3": dict(pre=words(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK))),
    "deepseek coder": dict(pre=words(split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), P.Digits(True))),
    "falcon": dict(pre=P.Sequence([P.Punctuation("contiguous"), gpt2(), P.Digits(False), split("[0-9][0-9][0-9]")])),
    "smollm": dict(pre=P.Sequence([P.Digits(True), gpt2()])),
    "bloom": dict(pre=words(split(" ?[^(\\s|[.,!?…。，、।۔،])]+"))),
    "replacements": dict(norm=N.Sequence([N.Replace(Regex("\\d"), "9"), N.NFKC(), N.Replace("ß", "ss"), N.Replace(Regex("(.)\\."), "$1!")]), pre=words(P.Split(" ", "merged_with_previous"))),
    "byte-level normalizer": dict(norm=N.Sequence([N.NFD(), N.ByteLevel()]), pre=split(" ?\\w+|\\S")),
    "white space": dict(norm=N.Strip(), pre=words(P.Whitespace())),
    "fixed length": dict(pre=words(P.FixedLength(3))),
    "delimiter": dict(pre=words(P.CharDelimiterSplit("e"))),
    "signs with next": dict(pre=words(P.WhitespaceSplit(), P.Punctuation("merged_with_next"))),
    **{f"split {b}": dict(pre=words(split("[aeiou ]+?\\d*", b))) for b in BEHAVIORS},
    **{f"split inverted {b}": dict(pre=words(split("\\w+", b, True))) for b in BEHAVIORS},
}

SENTENCE_PIECE_DECODER = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
TEMPLATE = PP.TemplateProcessing(single="<s> $A </s>", pair="<s> $A <s> $B", special_tokens=[("<s>", 1), ("</s>", 2)])
METASPACE = {s: dict(pre=P.Metaspace(prepend_scheme=s), dec=D.Metaspace(prepend_scheme=s)) for s in ["always", "first", "never"]}

PIECES = {
    "llama2": dict(norm=N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), dec=SENTENCE_PIECE_DECODER, post=TEMPLATE, fallback=True),
    "mistral": dict(pre=P.Metaspace(prepend_scheme="first", split=False), dec=SENTENCE_PIECE_DECODER, post=TEMPLATE, fallback=True),
    "gemma": dict(norm=N.Replace(" ", "▁"), pre=P.Split(" ", "merged_with_previous"), dec=D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]), fallback=True),
    "metaspace always": METASPACE["always"],
    "metaspace first": dict(norm=N.NFKC(), **METASPACE["first"]),
    "metaspace never": METASPACE["never"],
    "nmt": dict(norm=N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), **METASPACE["always"]),
}

UNIGRAM = {
    "unigram": METASPACE["always"],
    "unigram lower case": dict(norm=N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase()]), **METASPACE["first"]),
}

WORD_PIECE = {
    "bert uncased": dict(norm=N.BertNormalizer(), pre=P.BertPreTokenizer(), dec=D.WordPiece(), post=PP.BertProcessing(("[SEP]", 2), ("[CLS]", 1))),
    "bert cased": dict(norm=N.BertNormalizer(lowercase=False), pre=P.BertPreTokenizer(), dec=D.WordPiece(cleanup=False)),
}


def train(model, pre, trainer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return json.loads(tokenizer.to_str())["model"]


def part(value):
    return None if value is None else json.loads(value.__getstate__())


def main():
    trained = {
        "bytes": train(models.BPE(), gpt2(), trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", "<s>"], initial_alphabet=P.ByteLevel.alphabet(), show_progress=False)),
        "pieces": train(models.BPE(unk_token="<unk>", fuse_unk=True), P.Metaspace(), trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>"] + [f"<0x{b:02X}>" for b in range(256)], limit_alphabet=120, show_progress=False)),
        "unigram": train(models.Unigram(), P.Metaspace(), trainers.UnigramTrainer(vocab_size=300, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False)),
        "wordPiece": train(models.WordPiece(unk_token="[UNK]"), P.BertPreTokenizer(), trainers.WordPieceTrainer(vocab_size=350, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)),
    }
    kinds = {}
    chooser = random.Random(11)
    for model, table in [("bytes", BYTE_LEVEL), ("pieces", PIECES), ("unigram", UNIGRAM), ("wordPiece", WORD_PIECE)]:
        for name, kind in table.items():
            changes = {}
            if kind.get("ignore_merges"):
                changes["ignore_merges"] = True
            if kind.get("fallback"):
                changes["byte_fallback"] = True
            rules = {
                "normalizer": part(kind.get("norm")), "pre_tokenizer": part(kind.get("pre")), "post_processor": part(kind.get("post")),
                "decoder": part(kind.get("dec", D.ByteLevel())),
            }
            tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], **rules, "model": {**trained[model], **changes}}))
            tokenizer.add_tokens([token for token in ADDED if not token.special])
            tokenizer.add_special_tokens([token for token in ADDED if token.special])
            added = json.loads(tokenizer.to_str())["added_tokens"]
            encoded = tokenizer.encode_batch(TEXTS)
            plain = tokenizer.encode_batch(TEXTS, add_special_tokens=False)
            known = sorted(tokenizer.get_vocab().values())
            some = [[chooser.choice(known) for _ in range(chooser.randint(1, 9))] for _ in range(12)]
            case = {
                "model": model, "changes": changes, "rules": rules, "added": added, "size": tokenizer.get_vocab_size(),
                "ids": [e.ids for e in encoded],
                "decoded": [[tokenizer.decode(e.ids, skip_special_tokens=False), tokenizer.decode(e.ids)] for e in encoded[::6]],
                "some": [[ids, tokenizer.decode(ids, skip_special_tokens=False)] for ids in some],
            }
            if name in ("llama3", "llama2", "mistral"):
                # the library shares the bytes of one character out among its byte tokens; we do not, so those texts are left out
                isolated = [any(t.startswith("<0x") for t in e.tokens) for e in plain]
                case["offsets"] = [None if bytewise else e.offsets for e, bytewise in zip(plain, isolated)]
            kinds[name] = case
    target = Path(__file__).parents[2] / "test/reference/tokenizer-kinds.json"
    target.write_text(json.dumps({"texts": TEXTS, "models": trained, "kinds": kinds}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(target, target.stat().st_size)


main()
