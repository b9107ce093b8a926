"""Which parameters Hugging Face's Trainer exempts from weight decay, and short runs of Trainer itself with it.

test/reference/trainer-decay.json: `names`: <case>: <parameter, as PEFT's file or the model calls it>: whether it decays, for
every method over several families; `runs`: <optimizer>: the losses of STEPS steps of Trainer over one batch, and the norm of every
parameter after them. LoRA begins at A = sin(i) / 5 and B = cos(i) / 20, i the place in the tensor.
"""
import json
import os
import tempfile

import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForTokenClassification, Trainer, TrainingArguments

import own_modules
import tasks
import tuning
from common import REFERENCE, ROOT

FILE = REFERENCE / "trainer-decay.json"
STEPS = 8
IDS = [[5, 9, 13, 17, 21, 25], [40, 41, 42, 43, 44, 45], [7, 7, 7, 30, 30, 30]]
SETTINGS = {"adamw_torch": dict(learning_rate=5e-2, weight_decay=0.8), "sgd": dict(learning_rate=0.3, weight_decay=0.5),
            "adafactor": dict(learning_rate=3e-2, weight_decay=0.8)}


def trainer(model, optim, **settings):
    arguments = TrainingArguments(output_dir=tempfile.mkdtemp(), optim=optim, max_steps=STEPS, per_device_train_batch_size=len(IDS),
                                  lr_scheduler_type="linear", logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
                                  max_grad_norm=1.0, logging_nan_inf_filter=False, disable_tqdm=True, **settings)
    # Trainer counts the first label of some classes (GPT2LMHeadModel), of which no loss is taken
    data = [{"input_ids": ids, "labels": [-100, *ids[1:]]} for ids in IDS]
    collate = lambda rows: {key: torch.tensor([row[key] for row in rows]) for key in rows[0]}
    return Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate)


def named(model):
    return {own_modules.plain(name): parameter for name, parameter in tuning.parameters_of(model).items()}


def decays(model):
    decaying = set(trainer(model, "adamw_torch").get_decay_parameter_names(model))
    ids = {id(parameter): name in decaying for name, parameter in model.named_parameters(remove_duplicate=False)}
    return {name: ids[id(parameter)] for name, parameter in named(model).items()}


def everything(path, auto=AutoModelForCausalLM, **options):
    """A model whose tensors outside the blocks are all trained whole, and every bias."""
    model = auto.from_pretrained((REFERENCE / path).relative_to(ROOT), dtype=torch.float32, **options)
    outside = {name.rsplit(".", 1)[0] for name, _ in model.named_parameters()
               if not any(part.isdigit() for part in name.split("."))}
    return get_peft_model(model, LoraConfig(r=2, bias="all", target_modules="all-linear", modules_to_save=sorted(outside)))


def run(optim, settings):
    # the gradient of a key's bias is rounding, which Adafactor lets into the size of the whole bias' step
    biases = dict(bias="lora_only", target_modules=["c_fc"]) if optim == "adafactor" else dict(bias="all", target_modules=["c_attn"])
    config = LoraConfig(task_type="CAUSAL_LM", r=2, modules_to_save=["ln_f"], **biases)
    model = get_peft_model(own_modules.load("families/gpt2", "CAUSAL_LM"), config)
    for name, parameter in model.named_parameters():
        at = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
        if "lora_A" in name:
            parameter.data = (at.sin() / 5).float()
        if "lora_B" in name:
            parameter.data = (at.cos() / 20).float()
    made = trainer(model, optim, **settings)
    made.train()
    losses = [line["loss"] for line in made.state.log_history if "loss" in line]
    return {"losses": losses, "norms": {name: parameter.norm().item() for name, parameter in named(model).items()}}


def main():
    os.chdir(ROOT)
    names = {}
    for name, (_, config) in tuning.METHODS.items():
        if config is not None:
            base = AutoModelForCausalLM.from_pretrained(tuning.base_of(name), dtype=torch.float32)
            names[name] = decays(get_peft_model(base, config))
    for path in ["families/gpt2", "families/bloom", "families/opt", "families/opt-350m", "families/gpt_neox", "families/falcon-7b",
                 "families/gemma", "families/gemma2", "families/gemma3", "families/qwen3", "families/mixtral", "adapters/biased"]:
        names[f"all of {path}"] = decays(everything(path))
    names["token classification"] = decays(everything("families/gpt2", AutoModelForTokenClassification, num_labels=tasks.LABELS))
    # one block of each says what the others say
    names = {case: {name: value for name, value in found.items() if not any(f".{block}." in name for block in range(1, 9))}
             for case, found in names.items()}
    runs = {optim: run(optim, settings) for optim, settings in SETTINGS.items()}
    FILE.write_text(json.dumps({"names": names, "runs": runs}, indent=1) + "\n")
    for optim, found in runs.items():
        print(optim, found["losses"])
    for case, found in names.items():
        print(case, [name for name, value in found.items() if not value])


if __name__ == "__main__":
    main()
