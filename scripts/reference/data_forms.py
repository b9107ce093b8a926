"""What datasets and TRL make of training data in the forms that people have: rows of CSV and JSON files as `load_dataset` reads them,
and the texts that SFTTrainer learns of conversational prompts and completions. Writes test/reference/data-forms.json."""

import gzip
import json
import tempfile
from pathlib import Path

from datasets import Dataset, load_dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer
from trl.data_utils import maybe_convert_to_chatml

root = Path(__file__).parents[2]
chatml = json.loads((root / "test/reference/chat.json").read_text())["templates"]["chatml"]

tables = {
    "commas.csv": 'prompt,completion\r\n"A ""b"",\r\nc", d\r\ne,"  f"\r\n',
    "mark.csv": "\ufefftext,label\nA,1\nB,0\nC,10\n",
    "names.csv": "text,label\nA,yes\nB,no\n",
    "tabs.tsv": 'instruction\tinput\toutput\nName it, please.\t\t"Austin\n\tand more"\n',
    "semicolons.csv": "text;label\nA, b;yes\nB;no\n",
}
separators = {"tabs.tsv": "\t", "semicolons.csv": ";"}
objects = {
    "lines.json": '{"text": "A"}\n\n{"text": "B\\u2028C"}\n',
    "list.json": '[{"text": "A"},\n {"text": "B"}]',
}

turns = [
    {"from": "human", "value": "A?"},
    {"from": "gpt", "value": "B."},
    {"from": "human", "value": "C?"},
    {"from": "gpt", "value": "D."},
]
renamed = [dict(turn, **{"from": {"human": "user", "gpt": "assistant"}[turn["from"]]}) for turn in turns]
conversational = [
    {"prompt": [{"role": "user", "content": "A?"}], "completion": [{"role": "assistant", "content": "B."}]},
    {
        "prompt": [
            {"role": "system", "content": "S."},
            {"role": "user", "content": "A?"},
            {"role": "assistant", "content": "B."},
            {"role": "user", "content": "C?"},
        ],
        "completion": [{"role": "assistant", "content": "D."}],
    },
]


def read(folder, name, content, kind):
    path = Path(folder) / name
    path.write_text(content, encoding="utf-8", newline="")
    options = {"sep": separators.get(name, ","), "keep_default_na": False} if kind == "csv" else {}
    return [dict(row) for row in load_dataset(kind, data_files=str(path), split="train", cache_dir=folder, **options)]


def learned(tokenizer, rows):
    """The text that SFTTrainer learns of each row, and the text that it does not."""
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    arguments = SFTConfig(max_length=None, report_to=[], use_cpu=True, bf16=False, output_dir=tempfile.mkdtemp())
    trainer = SFTTrainer(LlamaForCausalLM(config), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    batch = [trainer.data_collator([row]) for row in trainer.train_dataset]
    return [
        {
            "learned": tokenizer.decode(one["input_ids"][0][one["labels"][0] != -100]),
            "masked": tokenizer.decode(one["input_ids"][0][one["labels"][0] == -100]),
        }
        for one in batch
    ]


tokenizer = AutoTokenizer.from_pretrained(root / "models/tiny")
tokenizer.chat_template = chatml
tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
with tempfile.TemporaryDirectory() as folder:
    found = {
        "tables": {name: {"text": text, "rows": read(folder, name, text, "csv")} for name, text in tables.items()},
        "objects": {name: {"text": text, "rows": read(folder, name, text, "json")} for name, text in objects.items()},
        "zipped": gzip.compress(objects["lines.json"].encode(), mtime=0).hex(),
        "sharegpt": {"conversations": turns, "messages": maybe_convert_to_chatml({"conversations": renamed})["messages"]},
        "completions": [dict(row, **text) for row, text in zip(conversational, learned(tokenizer, conversational), strict=True)],
    }
(root / "test/reference/data-forms.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
