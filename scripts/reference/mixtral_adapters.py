"""LoRA of Mixtral's router and experts with PEFT, which keeps them as parameters (`target_parameters`) over transformers 5.

test/reference/mixtral-adapters/<case>/: an adapter as PEFT saves it; `modules` is one of transformers 4, a pair for each expert's modules.
test/reference/mixtral-adapters/logits.safetensors: `ids`, `mask` and `<case>.logits`.
test/reference/mixtral-adapters/run.safetensors: twenty steps of `all-linear` from a random B, as tuning.py writes them.
"""
import json
import os
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import tuning
from common import REFERENCE, ROOT

FOLDER = REFERENCE / "mixtral-adapters"
BASE = "test/reference/families/mixtral"
EXPERTS, HIDDEN, INNER, BLOCKS = 8, 32, 24, 2
CASES = {
    "all-linear": LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=6, target_modules="all-linear"),
    "router": LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=["q_proj", "gate"]),
    "experts": LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=[], use_rslora=True, rank_pattern={"down_proj": 3},
                          target_parameters=["experts.gate_up_proj", "experts.down_proj"]),
    "down": LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=[], target_parameters=["down_proj"]),
}


def load():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager")


def write_modules(folder):
    """What PEFT saved over transformers 4: a LoRA for each of the modules that router and experts were."""
    folder.mkdir()
    sizes = {"gate": (HIDDEN, EXPERTS)} | {f"experts.{e}.{w}": (INNER, HIDDEN) if w == "w2" else (HIDDEN, INNER)
                                            for e in range(EXPERTS) for w in ("w1", "w2", "w3")}
    tensors = {}
    for block in range(BLOCKS):
        path = f"base_model.model.model.layers.{block}"
        for name, (inner, outer) in sizes.items():
            tensors[f"{path}.block_sparse_moe.{name}.lora_A.weight"] = 0.3 * torch.randn(2, inner)
            tensors[f"{path}.block_sparse_moe.{name}.lora_B.weight"] = 0.3 * torch.randn(outer, 2)
        tensors[f"{path}.self_attn.q_proj.lora_A.weight"] = 0.3 * torch.randn(2, HIDDEN)
        tensors[f"{path}.self_attn.q_proj.lora_B.weight"] = 0.3 * torch.randn(64, 2)
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    fields = dict(base_model_name_or_path=BASE, bias="none", inference_mode=True, lora_alpha=5, lora_dropout=0.0, peft_type="LORA", r=2,
                  target_modules=["q_proj", "w1", "w2", "w3", "gate"], task_type="CAUSAL_LM")
    (folder / "adapter_config.json").write_text(json.dumps(fields, indent=2) + "\n")


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    torch.manual_seed(8)
    ids = torch.randint(3, 64, (2, 9))
    mask = torch.ones_like(ids)
    ids[1, 6:], mask[1, 6:] = 0, 0
    tensors = {"ids": ids, "mask": mask}

    def logits(model):
        with torch.no_grad():
            return model.eval()(input_ids=ids, attention_mask=mask).logits.contiguous()

    tensors["base.logits"] = logits(load())
    for name, config in CASES.items():
        model = get_peft_model(load(), config)
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:  # zero at first: that would prove nothing
                torch.nn.init.normal_(parameter, std=0.2)
        tensors[f"{name}.logits"] = logits(model)
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
        (FOLDER / name / "adapter_model.safetensors").chmod(0o644)
    write_modules(FOLDER / "modules")
    tensors["modules.logits"] = logits(PeftModel.from_pretrained(load(), FOLDER / "modules"))
    save_file(tensors, FOLDER / "logits.safetensors")
    print({name: (value - tensors["base.logits"]).abs().max().item() for name, value in tensors.items() if "logits" in name})

    config = CASES["all-linear"] = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=6, target_modules="all-linear")
    generator = torch.Generator().manual_seed(5)
    loss_of = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
    batches = [tuning.batch(generator) for _ in range(tuning.BATCHES)]
    model = get_peft_model(load(), config)
    for parameter_name, parameter in model.named_parameters():
        if "lora_B" in parameter_name:  # so that the first step has gradients of A
            torch.nn.init.normal_(parameter, std=0.2)
    run = tuning.follow(model, 5e-3, config, batches, loss_of)
    save_file(run, FOLDER / "run.safetensors")
    print(run["losses"].tolist())


if __name__ == "__main__":
    main()
