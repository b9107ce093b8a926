"""Compares an exported checkpoint with PEFT's merge of the same adapter, and with base and adapter apart:
python check_export.py <base> <adapter> <exported>"""
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

CLASSES = {
    "CAUSAL_LM": AutoModelForCausalLM,
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
}


def load(path, auto, **options):
    return auto.from_pretrained(path, dtype=torch.float32, attn_implementation="eager", **options)


def main():
    base, adapter, exported = sys.argv[1:]
    task = json.loads((Path(adapter) / "adapter_config.json").read_text())["task_type"]
    auto = CLASSES[task]
    ours, info = load(exported, auto, output_loading_info=True)
    options = {} if task == "CAUSAL_LM" else {"num_labels": ours.config.num_labels}
    tuned = PeftModel.from_pretrained(load(base, auto, **options), adapter).eval()
    # the head of the language model stays in the files of a classifier, whose class does without
    problems = {kind: keys for kind, keys in info.items() if set(keys) - {"lm_head.weight", "embed_out.weight"}}
    torch.manual_seed(0)
    ids = torch.randint(2, ours.config.vocab_size, (1 if task == "SEQ_CLS" else 2, 12))
    with torch.no_grad():
        plain = load(base, auto, **options).eval()(input_ids=ids).logits
        apart = tuned(input_ids=ids).logits
        merged = ours.eval()(input_ids=ids).logits
        theirs = tuned.merge_and_unload()
        together = theirs(input_ids=ids).logits
    weights = dict(theirs.named_parameters())
    names = [name for name, _ in ours.named_parameters()]
    result = {
        "logits against base and adapter": (merged - apart).abs().max().item(),
        "logits against merge_and_unload": (merged - together).abs().max().item(),
        "weights against merge_and_unload": max((p - weights[n]).abs().max().item() for n, p in ours.named_parameters()),
        "what the adapter changes": (plain - apart).abs().max().item(),
        "tensors": len(names),
    }
    stored = json.loads((Path(exported) / "config.json").read_text()).get("dtype")
    print(Path(base).name, stored, json.dumps(result), f"problems: {problems}" if problems else "")
    sys.exit(0 if result["logits against base and adapter"] < 1e-4 and not problems else 1)


if __name__ == "__main__":
    main()
