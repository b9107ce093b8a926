"""Loads adapters that write-adapters.ts wrote in PEFT and compares the logits: python check_adapter.py <folder>..."""
import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def difference(folder):
    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        warnings.filterwarnings("error", message=".*unexpected keyword.*")
        model = PeftModel.from_pretrained(model, folder).eval()
    ours = load_file(folder / "logits.safetensors")
    with torch.no_grad():
        theirs = model(input_ids=ours["ids"], attention_mask=torch.ones_like(ours["ids"])).logits
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
