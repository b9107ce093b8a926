"""Loads adapters that write-adapters.ts and write-task-adapters.ts wrote in PEFT and compares the logits, or the hidden states:
python check_adapter.py <folder>...
"""
import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

CLASSES = {
    "CAUSAL_LM": (AutoModelForCausalLM, {}),
    "SEQ_CLS": (AutoModelForSequenceClassification, dict(num_labels=3)),
    "TOKEN_CLS": (AutoModelForTokenClassification, dict(num_labels=3)),
    "FEATURE_EXTRACTION": (AutoModel, {}),
}


def difference(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    auto, options = CLASSES[config["task_type"]]
    base = config["base_model_name_or_path"]
    model = auto.from_pretrained(base, dtype=torch.float32, attn_implementation="eager", **options)
    forward = model.forward
    if options:  # a classification with prefixes refuses models that call their cache otherwise than past_key_values
        model.forward = lambda *positional, past_key_values=None, **named: forward(
            *positional, **named, **({} if past_key_values is None else {"past_key_values": past_key_values}))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        warnings.filterwarnings("error", message=".*unexpected keyword.*")
        model = PeftModel.from_pretrained(model, folder).eval()
    ours = load_file(folder / "logits.safetensors")
    with torch.no_grad():
        out = model(input_ids=ours["ids"], attention_mask=torch.ones_like(ours["ids"]))
    theirs = out.logits if "logits" in out else out.last_hidden_state
    return (theirs - ours["logits"]).abs().max().item(), theirs.abs().max().item()


def main():
    worst = 0.0
    for folder in map(Path, sys.argv[1:]):
        largest, scale = difference(folder)
        worst = max(worst, largest)
        print(f"{folder.name}: max |logit difference| {largest:.2e} (logits up to {scale:.2f})")
    sys.exit(0 if worst < 1e-4 else 1)


if __name__ == "__main__":
    main()
