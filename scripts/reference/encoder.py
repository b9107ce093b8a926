"""What the scripts of encoder families share: random models, and what PyTorch, Hugging Face and PEFT compute of them."""
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import (AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForQuestionAnswering,
                          AutoModelForSequenceClassification, AutoModelForTokenClassification)

from transformers.utils import logging

from common import REFERENCE

logging.set_verbosity_error()  # each class says which tensors of the others it does not read

FOLDER = REFERENCE / "families"
RANK, ALPHA, PROMPT, PREFIX = 3, 6, 2, 3
BATCH, LENGTH = 2, 7
TASKS = {"MASKED_LM": AutoModelForMaskedLM, "SEQ_CLS": AutoModelForSequenceClassification,
         "TOKEN_CLS": AutoModelForTokenClassification, "QUESTION_ANS": AutoModelForQuestionAnswering}


@dataclass
class Encoder:
    """Where a family keeps its parts."""
    blocks: str                          # path of the list of blocks, in the base model
    modules: list[str]                   # LoRA targets, by the end of their path
    prefixed: Callable                   # context in which blocks attend to prefixes before their tokens
    tables: Callable | None = None       # (model, positions) -> rotary tables by name
    tasks: list[str] = field(default_factory=lambda: list(TASKS))
    options: dict = field(default_factory=lambda: dict(attn_implementation="eager"))


def fill(model):
    """Values far from those of a fresh model: norms apart from 1, biases apart from 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            else:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)


def build(name, spec, family):
    """Writes a folder with the body and the heads of all tasks, as the classes of each would name them."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    init = dict(spec["init"])
    config = AutoConfig.for_model(init.pop("model_type"), num_labels=2, **init)
    tensors = {}
    for task in family.tasks:
        model = TASKS[task].from_config(config)
        fill(model)
        model.tie_weights()
        with tempfile.TemporaryDirectory() as saved:
            model.save_pretrained(saved)
            tensors = load_file(Path(saved) / "model.safetensors") | tensors
            if task == family.tasks[0]:
                shutil.copy(Path(saved) / "config.json", folder / "config.json")
    # the pooler of the base model, where no task has one
    base = AutoModel.from_config(config)
    fill(base)
    prefix = TASKS[family.tasks[0]].from_config(config).base_model_prefix
    tensors = {f"{prefix}.{name}": value for name, value in base.state_dict().items() if name.startswith("pooler.")} | tensors
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    written = json.loads((folder / "config.json").read_text()) | spec.get("config", {})
    (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)
    return folder


def submodule(model, path):
    for part in path.split("."):
        model = getattr(model, part)
    return model


def load(auto, folder, family):
    return auto.from_pretrained(folder, dtype=torch.float32, **family.options).eval()


def small(*shape):
    """A trained tensor, small enough that attention does not saturate: PyTorch's own rounding would show."""
    return (0.3 * torch.randn(*shape)).requires_grad_()


def run_blocks(base, family, hidden, mask, prompts=None, prefixes=None):
    """All blocks without what comes before and after: hidden states in, hidden states out."""
    inner = base.get_base_model() if hasattr(base, "peft_config") else base
    layers, outputs, hooks = submodule(inner, family.blocks), [], []
    for block, layer in enumerate(layers):
        def replace(_, arguments, block=block):
            x = hidden if block == 0 else arguments[0]
            if prompts is not None:
                x = x + torch.nn.functional.pad(prompts[block], (0, 0, 0, x.shape[1] - PROMPT))
            return (x, *arguments[1:])
        hooks.append(layer.register_forward_pre_hook(replace))
    hooks.append(layers[-1].register_forward_hook(lambda *call: outputs.append(call[2])))
    with family.prefixed(inner, prefixes):
        inner(input_ids=torch.full(hidden.shape[:2], 5, dtype=torch.long), attention_mask=mask)
    for hook in hooks:
        hook.remove()
    return outputs[0][0] if isinstance(outputs[0], tuple) else outputs[0]


def block_cases(base, family, config):
    ones = torch.ones(BATCH, LENGTH, dtype=torch.long)
    left, right = ones.clone(), ones.clone()
    left[0, :3] = 0
    right[1, -2:] = 0
    tensors = {}
    for case, mask in {"plain": ones, "left": left, "right": right}.items():
        hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
        grad = torch.randn(BATCH, LENGTH, config.hidden_size) * mask[..., None]
        out = run_blocks(base, family, hidden, mask)
        out.backward(grad)
        values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
        tensors |= {f"{case}.{name}": value for name, value in values.items()}
    return tensors


def lora_layers(model, family):
    for path, module in model.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            block, name = path.split(f"{family.blocks}.")[1].split(".", 1)
            yield f"blocks.{block}.lora.{name}", module


def port_case(folder, family, config):
    """LoRA on every module by PEFT, prompts and prefixes, with the gradients of all of them."""
    pattern = rf".*{family.blocks}\..*\.({'|'.join(family.modules)})"
    peft = get_peft_model(load(AutoModel, folder, family),
                          LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=pattern, lora_dropout=0.0))
    scaling = ALPHA / RANK
    for _, layer in lora_layers(peft, family):
        with torch.no_grad():
            layer.lora_A["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_A["default"].weight))
            layer.lora_B["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_B["default"].weight))
    blocks = range(len(submodule(peft.get_base_model(), family.blocks)))
    heads = config.num_attention_heads
    prompts = [small(PROMPT, config.hidden_size) for _ in blocks]
    prefixes = [[small(PREFIX, heads, config.hidden_size // heads) for _ in "kv"] for _ in blocks]
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    mask[0, :2] = 0
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    grad = torch.randn(BATCH, LENGTH, config.hidden_size) * mask[..., None]
    out = run_blocks(peft, family, hidden, mask, prompts, prefixes)
    out.backward(grad)
    values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
    for name, layer in lora_layers(peft, family):
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        values |= {f"{name}.A": a, f"{name}.B": b * scaling, f"grad.{name}.A": a.grad, f"grad.{name}.B": b.grad / scaling}
    for block in blocks:
        named = {"prompt": prompts[block], "prefix.key": prefixes[block][0], "prefix.value": prefixes[block][1]}
        for name, value in named.items():
            zero = torch.zeros_like(value) if value.grad is None else value.grad
            values |= {f"blocks.{block}.{name}": value, f"grad.blocks.{block}.{name}": zero}
    return {f"ports.{name}": value for name, value in values.items()}


def peft_names(folder, family, task):
    """Names of the tensors that PEFT saves of LoRA on every module of the blocks, over the class of a task."""
    pattern = rf".*{family.blocks}\..*\.({'|'.join(family.modules)})"
    peft = get_peft_model(load(TASKS[task], folder, family), LoraConfig(r=1, target_modules=pattern))
    return sorted(get_peft_model_state_dict(peft))


def vector_case(folder, family, config):
    """Vectors multiplied onto inputs and outputs of every linear module, and added to every bias, with their gradients."""
    base = load(AutoModel, folder, family)
    base.requires_grad_(False)
    values, hooks, biases = {}, [], {}
    for block, layer in enumerate(submodule(base, family.blocks)):
        for path, module in layer.named_modules():
            if getattr(module, "bias", None) is not None:
                delta = 0.3 * torch.randn_like(module.bias)
                module.bias = torch.nn.Parameter(module.bias + delta)
                biases[f"blocks.{block}.bias.{path}"] = (delta, module.bias)
            if path not in family.modules:
                continue
            outputs, inputs = module.weight.shape
            before, after = [(1 + 0.2 * torch.randn(size)).requires_grad_() for size in (inputs, outputs)]
            values |= {f"blocks.{block}.scale.{path}.input": before, f"blocks.{block}.scale.{path}.output": after}
            hooks.append(module.register_forward_pre_hook(lambda _, given, before=before: (given[0] * before, *given[1:])))
            hooks.append(module.register_forward_hook(lambda _, given, out, after=after: out * after))
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    grad = torch.randn(BATCH, LENGTH, config.hidden_size)
    out = run_blocks(base, family, hidden, mask)
    out.backward(grad)
    for hook in hooks:
        hook.remove()
    values |= {f"grad.{name}": value.grad for name, value in values.items()}
    for name, (delta, bias) in biases.items():
        values |= {name: delta, f"grad.{name}": bias.grad}
    values |= dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
    return {f"vectors.{name}": value for name, value in values.items()}


def batch(config):
    """Ids with padding on the right in one row, and their token types."""
    ids = torch.randint(5, config.vocab_size, (BATCH, LENGTH + 4))
    mask = torch.ones_like(ids)
    mask[1, -3:] = 0
    ids = ids.masked_fill(mask == 0, config.pad_token_id or 0)
    types = torch.zeros_like(ids)
    if getattr(config, "type_vocab_size", 0) > 1:
        types[:, 5:] = config.type_vocab_size - 1
    return ids, mask, types


def takes_types(config):
    return getattr(config, "type_vocab_size", 0) > 0


def task_cases(folder, family, config):
    """The whole model from ids for each task: logits, and gradients of everything outside the blocks from one of the logits."""
    tensors, stored = {}, load_file(folder / "model.safetensors")
    for task in family.tasks:
        model = load(TASKS[task], folder, family)
        ids, mask, types = batch(config)
        out = model(input_ids=ids, attention_mask=mask, **(dict(token_type_ids=types) if takes_types(config) else {}))
        logits = out.logits if task != "QUESTION_ANS" else torch.stack([out.start_logits, out.end_logits], -1)
        grad = torch.randn_like(logits)
        if logits.dim() == 3:
            grad = grad * mask[..., None]
        logits.backward(grad)
        values = dict(ids=ids, mask=mask, types=types, logits=logits, grad_logits=grad)
        for name, parameter in model.named_parameters(remove_duplicate=False):
            # a tied head counts as the embedding
            if f"{family.blocks}." not in name and parameter.grad is not None and name in stored:
                values[f"grad.{name}"] = parameter.grad
        tensors |= {f"{task}.{name}": value for name, value in values.items()}
    return tensors


def body_case(folder, family, config):
    """Hidden states of the base model, without a mask, with padding on the left, and from embeddings as behind virtual tokens."""
    base = load(AutoModel, folder, family)
    ids, _, types = batch(config)
    ids = ids.masked_fill(torch.arange(ids.shape[1]) < torch.tensor([[0], [3]]), config.pad_token_id or 0)
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    extra = dict(token_type_ids=types) if takes_types(config) else {}
    values = dict(ids=ids, mask=mask, types=types)
    out = base(input_ids=ids, attention_mask=mask, **extra)
    values["left"] = out.last_hidden_state
    if getattr(out, "pooler_output", None) is not None:
        values["pooled"] = out.pooler_output
    values["unmasked"] = base(input_ids=ids, attention_mask=torch.ones_like(ids), **extra).last_hidden_state
    prompt = 0.3 * torch.randn(PROMPT, base.get_input_embeddings().weight.shape[1])
    rows = torch.cat([prompt.expand(BATCH, -1, -1), base.get_input_embeddings()(ids)], 1)
    extra = dict(token_type_ids=torch.cat([torch.zeros(BATCH, PROMPT, dtype=torch.long), types], 1)) if takes_types(config) else {}
    values |= dict(prompt=prompt)
    values["prompted"] = base(inputs_embeds=rows, attention_mask=torch.cat([torch.ones(BATCH, PROMPT, dtype=torch.long), mask], 1),
                              **extra).last_hidden_state
    return {f"body.{name}": value for name, value in values.items()}


def write(models, family, first_seed):
    for seed, (name, spec) in enumerate(models.items(), first_seed):
        torch.manual_seed(seed)
        folder = build(name, spec, family)
        base = load(AutoModel, folder, family)
        config = base.config
        tensors = block_cases(base, family, config) | port_case(folder, family, config) | vector_case(folder, family, config)
        tensors |= task_cases(folder, family, config) | body_case(folder, family, config)
        if family.tables is not None:
            tensors |= {f"rotary.{key}": value for key, value in family.tables(base, torch.arange(config.max_position_embeddings)[None]).items()}
        names = {task: peft_names(folder, family, task) for task in family.tasks}
        flat = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        save_file(flat, FOLDER / f"{name}.safetensors", metadata={"peft": json.dumps(names)})
        (FOLDER / f"{name}.safetensors").chmod(0o644)
        print(name, sum(value.numel() * value.element_size() for value in flat.values()))
