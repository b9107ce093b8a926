"""Pairs of texts as PyPI's tokenizers encodes them, by each kind of post-processor: test/reference/pairs.json.

    python pairs.py
"""
import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors

ROOT = Path(__file__).parents[2]
WORDS = ["[PAD]", "[CLS]", "[SEP]", "the", "whale", "rose", "boat", "sank", "under", "."]
special = [("[CLS]", 1), ("[SEP]", 2)]
template = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=special)
kinds = {
    "none": None,
    "BertProcessing": processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1)),
    "RobertaProcessing": processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1), trim_offsets=True, add_prefix_space=False),
    "TemplateProcessing": template,
    "T5": processors.TemplateProcessing(single="$A [SEP]", pair="$A [SEP] $B [SEP]", special_tokens=special[1:]),
    "ByteLevel": processors.ByteLevel(),
    "Sequence": processors.Sequence([processors.ByteLevel(), template]),
}
pairs = [("the whale rose", "the boat sank under."), ("whale", ""), ("", "boat.")]
found = []
for name, processor in kinds.items():
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(WORDS[:3])
    if processor is not None:
        tokenizer.post_processor = processor
    rows = [{"texts": pair, "ids": made.ids, "types": made.type_ids} for pair in pairs for made in [tokenizer.encode(*pair)]]
    found.append({"name": name, "tokenizer": json.loads(tokenizer.to_str()), "rows": rows})
(ROOT / "test/reference/pairs.json").write_text(json.dumps(found) + "\n")
