"""LoRA's relatives with PEFT: twenty steps of each, the adapter as PEFT saves it after them, its logits, and one linear module alone.

test/reference/lora-relatives/<name>.safetensors: a run as tuning.py writes it, and `logits` of the trained model for the first batch
test/reference/lora-relatives/<name>/            the trained adapter as PEFT saves it (`-converted`: by way of its first values)
test/reference/lora-relatives/modules.safetensors `<case>.*`: DoRA over a linear module, with masks of dropout: inputs, output, gradients
"""
import json
import shutil
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from common import REFERENCE
from tuning import BATCHES, batch, follow

FOLDER = REFERENCE / "lora-relatives"
LLAMA = ["q_proj", "v_proj", "down_proj"]
GPT2 = ["c_attn", "c_proj"]
BASES = {"gpt2": REFERENCE / "families" / "gpt2", "tied": REFERENCE / "adapters" / "tied", "biased": REFERENCE / "adapters" / "biased"}


def lora(modules, **more):
    return LoraConfig(task_type="CAUSAL_LM", **{"r": 4, "lora_alpha": 10, **more}, target_modules=modules)


RUNS = {
    "dora": lora(LLAMA, use_dora=True),
    "dora-gpt2": lora(GPT2, use_dora=True),
    "dora-rslora": lora(LLAMA, use_dora=True, use_rslora=True, lora_alpha=3, rank_pattern={"v_proj": 2}),
    "pissa": lora(LLAMA, init_lora_weights="pissa", lora_alpha=6),
    "pissa-gpt2": lora(GPT2, init_lora_weights="pissa"),
    "pissa-dora": lora(LLAMA, init_lora_weights="pissa", use_dora=True),
    "olora": lora(LLAMA, init_lora_weights="olora", lora_alpha=3),
    "mica": lora(LLAMA, init_lora_weights="mica"),
    "bias": lora(LLAMA, lora_bias=True),
    "bias-biased": lora(["q_proj", "up_proj"], lora_bias=True, bias="lora_only"),
    "embedding": lora(["embed_tokens", "q_proj"]),
    "embedding-dora": lora(["embed_tokens", "q_proj"], use_dora=True),
    "embedding-tied": lora(["embed_tokens", "q_proj"]),
    "head": lora(["lm_head", "q_proj"]),
    "head-dora": lora(["lm_head", "q_proj"], use_dora=True),
    "tokens": lora(["q_proj"], trainable_token_indices=[3, 5, 9, 17]),
    "tokens-tied": lora(["q_proj"], trainable_token_indices={"embed_tokens": [3, 5, 9, 17]}),
    "embedding-gpt2": lora(["wte", "c_attn"]),
}


# where steps of 2e-2 leave a valley, and rounding grows
RATES = {"embedding-tied": 5e-3}


def base_of(name):
    return next((path for end, path in BASES.items() if end in name.split("-")), REFERENCE / "adapters" / "base")


def open_base(name):
    options = {f"{part}_pdrop": 0.0 for part in ("attn", "embd", "resid")} if "gpt2" in name else {}
    return AutoModelForCausalLM.from_pretrained(base_of(name), dtype=torch.float32, attn_implementation="eager", **options)


def named(name):
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def run(name, config):
    torch.manual_seed(4)
    model = get_peft_model(open_base(name), config)
    with tempfile.TemporaryDirectory() as first:
        init = config.init_lora_weights
        if init is not True:
            config.init_lora_weights = True
            model.save_pretrained(first)
            config.init_lora_weights = init
        everything = {key: value.detach().clone() for key, value in model.named_parameters() if "lora_" in key}
        generator = torch.Generator().manual_seed(5)
        loss_of = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
        batches = [batch(generator) for _ in range(BATCHES)]
        tensors = {named(key): value for key, value in follow(model, RATES.get(name, 2e-2), config, batches, loss_of).items()}
        # what stays as it began belongs to the beginning too
        for key, value in everything.items():
            tensors.setdefault(f"initial.{named(key.replace('.default', ''))}", value)
        with torch.no_grad():
            inputs = dict(input_ids=batches[0]["ids"], attention_mask=batches[0]["mask"])
            tensors["logits"] = model.eval()(**inputs).logits.contiguous()
        folders = [FOLDER / name]
        model.save_pretrained(FOLDER / name)
        if init in ("pissa", "olora") and not config.use_dora:
            folders.append(FOLDER / f"{name}-converted")
            model.save_pretrained(folders[1], path_initial_model_for_weight_conversion=first)
    for folder in folders:
        (folder / "README.md").unlink()
        file = folder / "adapter_config.json"
        fields = json.loads(file.read_text())
        fields["base_model_name_or_path"] = str(base_of(name).relative_to(REFERENCE.parents[1]))
        file.write_text(json.dumps(fields, indent=2, sort_keys=True))
    save_file(tensors, FOLDER / f"{name}.safetensors")
    print(name, [round(loss, 4) for loss in tensors["losses"].tolist()][::5], sorted(load_file(folders[0] / "adapter_model.safetensors"))[:4])


class Masked(torch.nn.Module):
    """Dropout whose mask is known."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x * self.mask


def modules():
    tensors = {}
    generator = torch.Generator().manual_seed(6)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    for case in ("plain", "conv", "plain-dropout", "conv-dropout"):
        inside, outside, rank = 6, 5, 2
        base = Conv1D(outside, inside) if "conv" in case else torch.nn.Linear(inside, outside)
        base.weight.data = normal(*base.weight.shape)
        base.bias.data = normal(outside)
        config = LoraConfig(r=rank, lora_alpha=rank, use_dora=True, fan_in_fan_out="conv" in case, lora_dropout=0.5 if "dropout" in case else 0.0)
        layer = Linear(base, "default", config=config, r=rank, lora_alpha=rank)
        a, b, m = layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.lora_magnitude_vector["default"].weight
        a.data, b.data, m.data = normal(rank, inside), normal(outside, rank), normal(outside)
        x, grad = normal(2, 3, inside).requires_grad_(), normal(2, 3, outside)
        values = dict(x=x, weight=base.weight, bias=base.bias, a=a, b=b, magnitude=m, grad=grad)
        if "dropout" in case:
            values["mask"] = (torch.rand(2, 3, inside, generator=generator) < 0.7) / 0.7
            layer.lora_dropout["default"] = Masked(values["mask"])
        y = layer.train()(x)
        y.backward(grad)
        values |= {"y": y, "grad_x": x.grad, "grad_a": a.grad, "grad_b": b.grad, "grad_magnitude": m.grad}
        tensors |= {f"{case}.{name}": value.detach().contiguous() for name, value in values.items()}
    save_file(tensors, FOLDER / "modules.safetensors")


COMBINED = {
    "one": lora(["q_proj", "v_proj"], lora_alpha=10),
    "two": lora(["q_proj", "down_proj"], lora_alpha=6),
    "three": lora(["q_proj"], r=2, lora_alpha=3),
}
WAYS = {
    "linear": ("one two", [0.7, -0.4], dict(combination_type="linear")),
    "cat": ("one two three", [0.7, -0.4, 1.5], dict(combination_type="cat")),
    "svd": ("one three", [0.7, 0.4], dict(combination_type="svd")),
    "svd-rank": ("one two", [0.7, 0.4], dict(combination_type="svd", svd_rank=3)),
    "ties": ("one two", [0.7, 0.4], dict(combination_type="ties", density=0.5)),
    "ties-frequency": ("one two", [0.7, 0.4], dict(combination_type="ties", density=0.7, majority_sign_method="frequency")),
    "ties_svd": ("one three", [0.7, 0.4], dict(combination_type="ties_svd", density=0.6)),
    "magnitude_prune": ("one two", [0.7, 0.4], dict(combination_type="magnitude_prune", density=0.3)),
    "magnitude_prune_svd": ("one two", [0.7, 0.4], dict(combination_type="magnitude_prune_svd", density=0.3)),
    "dare_linear": ("one two", [0.7, 0.4], dict(combination_type="dare_linear", density=1.0)),
    "single": ("two", [0.5], dict(combination_type="svd")),
}


def combined():
    """combined.safetensors: `<way>.<tensor>` of each way to combine; `ids`, and `mixed` logits of rows through adapters of their own."""
    torch.manual_seed(8)
    names = list(COMBINED)
    model = get_peft_model(open_base("base"), COMBINED[names[0]], adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, COMBINED[name])
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(FOLDER)
    for name in names:
        shutil.move(FOLDER / name, FOLDER / f"combined-{name}")
    (FOLDER / "README.md").unlink(missing_ok=True)
    for name in names:
        (FOLDER / f"combined-{name}" / "README.md").unlink(missing_ok=True)
    ids = torch.randint(3, 64, (5, 7))
    rows = ["two", "__base__", "one", "two", "three"]
    with torch.no_grad():
        mixed = model.eval()(input_ids=ids, adapter_names=rows).logits
    tensors = {"ids": ids, "mixed": mixed.contiguous()}
    for way, (adapters, weights, options) in WAYS.items():
        model.add_weighted_adapter(adapters.split(), weights, f"made-{way}", **options)
        for name, parameter in model.named_parameters():
            if f".made-{way}." in name:
                tensors[f"{way}.{name.replace(f'.made-{way}', '')}"] = parameter.detach().contiguous()
    save_file(tensors, FOLDER / "combined.safetensors")


def other_stacks():
    """other-<name>/ and other.safetensors: adapters of an encoder-decoder model and of an encoder, and what these give with them."""
    from peft import TaskType
    from transformers import AutoModel, AutoModelForSeq2SeqLM
    torch.manual_seed(9)
    tensors = {"ids": torch.randint(3, 40, (2, 6)), "labels": torch.randint(3, 40, (2, 4))}
    for name, base, auto, task, modules in (("t5", "t5", AutoModelForSeq2SeqLM, "SEQ_2_SEQ_LM", ["q", "v", "wo"]),
                                            ("bert", "bert", AutoModel, "FEATURE_EXTRACTION", ["query", "value", "output.dense"])):
        for way, options in (("dora", dict(use_dora=True)), ("pissa", dict(init_lora_weights="pissa")), ("bias", dict(lora_bias=True))):
            model = auto.from_pretrained(REFERENCE / "families" / base, dtype=torch.float32, attn_implementation="eager")
            model = get_peft_model(model, LoraConfig(task_type=TaskType(task), r=4, lora_alpha=6, target_modules=modules, **options))
            for key, parameter in model.named_parameters():
                if "lora_" in key:
                    parameter.data += 0.1 * torch.randn_like(parameter)
            inputs = dict(input_ids=tensors["ids"], **({"labels": tensors["labels"]} if name == "t5" else {}))
            with torch.no_grad():
                out = model.eval()(**inputs)
            tensors[f"{name}-{way}"] = (out.logits if name == "t5" else out.last_hidden_state).contiguous()
            folder = FOLDER / f"other-{name}-{way}"
            model.save_pretrained(folder)
            (folder / "README.md").unlink()
            file = folder / "adapter_config.json"
            fields = json.loads(file.read_text())
            fields["base_model_name_or_path"] = f"test/reference/families/{base}"
            file.write_text(json.dumps(fields, indent=2, sort_keys=True))
    save_file(tensors, FOLDER / "other.safetensors")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    modules()
    combined()
    other_stacks()
    for name, config in RUNS.items():
        run(name, config)


if __name__ == "__main__":
    main()
