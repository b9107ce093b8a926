"""Compares an exported checkpoint with PEFT's merge of the same adapter, and with base and adapter apart:
python check_export.py <base> <adapter> <exported>"""
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def main():
    base, adapter, exported = sys.argv[1:]
    tuned = PeftModel.from_pretrained(load(base), adapter).eval()
    ours, info = AutoModelForCausalLM.from_pretrained(
        exported, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {kind: keys for kind, keys in info.items() if keys}
    torch.manual_seed(0)
    ids = torch.randint(0, ours.config.vocab_size, (2, 12))
    with torch.no_grad():
        plain = load(base)(input_ids=ids).logits
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
