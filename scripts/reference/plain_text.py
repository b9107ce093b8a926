"""Ids of texts with special tokens written as text, by Hugging Face's Rust library (encode_special_tokens, split_special_tokens of transformers).

    python scripts/reference/plain_text.py

Reads the tokenizers of test/reference/tokenizer-kinds.json. Writes test/reference/plain-text.json: for each kind, by number of the text, the
ids where they differ from those with special tokens. Texts with <r> are left out: it is no special token, but our rule takes tags as text.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer

HERE = Path(__file__).parents[2] / "test/reference"
reference = json.loads((HERE / "tokenizer-kinds.json").read_text())
kinds = {}
for name, kind in reference["kinds"].items():
    model = {**reference["models"][kind["model"]], **kind["changes"]}
    rules = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": kind["added"], **kind["rules"], "model": model}
    tokenizer = Tokenizer.from_str(json.dumps(rules))
    usual = [each.ids for each in tokenizer.encode_batch(reference["texts"], add_special_tokens=False)]
    tokenizer.encode_special_tokens = True
    plain = [each.ids for each in tokenizer.encode_batch(reference["texts"], add_special_tokens=False)]
    kinds[name] = {i: ids for i, (ids, text) in enumerate(zip(plain, reference["texts"])) if ids != usual[i] and "<r>" not in text}
target = HERE / "plain-text.json"
target.write_text(json.dumps(kinds, separators=(",", ":")) + "\n")
print(sum(map(len, kinds.values())), "texts,", target.stat().st_size, "bytes")
