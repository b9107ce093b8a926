"""Twenty AdamW steps with PEFT where tensors outside the blocks are trained too: whole modules, or with bias="all" every bias.

test/reference/own-modules/<case>.safetensors: as tuning.py and tasks.py write them, the tensors outside the blocks under their names
in the model; and after the run `logits` (hidden states of features) of `ids` and `mask`, and `merged`, those of `merge_and_unload`.
test/reference/own-modules/<case>/: the adapter as PEFT saves it then. Names of cases as arguments write only these.
"""
import os
import re
import shutil
import sys

import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

import tasks
import tuning
from common import REFERENCE, ROOT

FOLDER = REFERENCE / "own-modules"
AUTO = {"CAUSAL_LM": AutoModelForCausalLM, "SEQ_CLS": AutoModelForSequenceClassification,
        "TOKEN_CLS": AutoModelForTokenClassification, "FEATURE_EXTRACTION": AutoModel}
RATE = 2e-2
CASES = {
    "gpt2-bias-all": ("families/gpt2", LoraConfig(task_type="CAUSAL_LM", r=2, bias="all", target_modules=["c_attn"])),
    "bloom-bias-all": ("families/bloom", LoraConfig(task_type="CAUSAL_LM", r=2, bias="all", target_modules=["query_key_value"])),
    "tied-embedding": ("adapters/tied", LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens"])),
    "seq-cls-modules": ("adapters/base", LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q_proj"],
                                                    modules_to_save=["embed_tokens", "model.norm"])),
    "token-cls-modules": ("families/gpt2", LoraConfig(task_type="TOKEN_CLS", r=2, bias="all", target_modules=["c_attn"],
                                                      modules_to_save=["wpe", "ln_f"])),
    "features-modules": ("families/gpt2", LoraConfig(task_type="FEATURE_EXTRACTION", r=2, target_modules=["c_attn"],
                                                     modules_to_save=["wte", "ln_f"])),
    "prompt-modules": ("adapters/base", PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, modules_to_save=["lm_head"])),
    "prefix-modules": ("adapters/base", PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3,
                                                           modules_to_save=["embed_tokens", "model.norm"])),
}
DROPOUTS = ["attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "attention_dropout", "classifier_dropout"]


def load(base, task):
    path = (REFERENCE / base).relative_to(ROOT)
    labels = {"num_labels": tasks.LABELS} if task in ("SEQ_CLS", "TOKEN_CLS") else {}
    config = AutoConfig.from_pretrained(path, **labels)
    for name in DROPOUTS:
        setattr(config, name, 0.0)
    return AUTO[task].from_pretrained(path, config=config, dtype=torch.float32, attn_implementation="eager")


def plain(name):
    """Biases outside the blocks are called as in the model: the wrapper is no part of their name here."""
    outside = name.endswith(".bias") and not re.search(r"\.(h|layers)\.\d+\.", name)
    return name.removeprefix("base_model.model.") if outside else name


def output(model, ids, mask):
    with torch.no_grad():
        out = model.eval()(input_ids=ids, attention_mask=mask)
    return (out.logits if "logits" in out else out.last_hidden_state).contiguous()


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    chosen = sys.argv[1:]
    if not chosen:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    for name in chosen or CASES:
        base, config = CASES[name]
        task = config.task_type
        torch.manual_seed(4)
        model = get_peft_model(load(base, task), config)
        parameters_of = tuning.parameters_of
        generator = torch.Generator().manual_seed(6)
        if task == "CAUSAL_LM":
            batches = [tuning.batch(generator) for _ in range(tuning.BATCHES)]
            loss = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
        else:
            batches = [tasks.batch(task, generator) for _ in range(tuning.BATCHES)]
            loss = tasks.loss_of(task, config)
        # PEFT wraps a model once less where its modules stay as they are: the name lacks the part that tuning.py drops
        full = lambda key: f"model.{key}" if config.is_prompt_learning and key.startswith(("embed_tokens", "norm")) else key
        tuning.parameters_of = lambda model: {full(plain(key)): value for key, value in parameters_of(model).items()}
        tensors = tuning.follow(model, RATE, config, batches, loss)
        tuning.parameters_of = parameters_of
        ids = torch.randint(3, 64, (2, 9), generator=generator)
        mask = torch.ones_like(ids)
        ids[1, 6:], mask[1, 6:] = 0, 0
        tensors |= {"ids": ids, "mask": mask, "logits": output(model, ids, mask)}
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
        if not config.is_prompt_learning:
            tensors["merged"] = output(model.merge_and_unload(), ids, mask)
        save_file(tensors, FOLDER / f"{name}.safetensors")
        print(name, [round(loss, 4) for loss in tensors["losses"].tolist()])


if __name__ == "__main__":
    main()
