"""What the scripts of the model families share: small random models, and what PyTorch and PEFT compute from them.

For every model: test/reference/families/<name>/ (a Hugging Face directory) and test/reference/families/<name>.safetensors with
inputs, outputs and gradients in float32. Tensors of a case are named `<case>.<tensor>`; adapter tensors as the ports of a block graph.
"""
import json
import shutil
from dataclasses import dataclass, field
from typing import Callable

import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from common import REFERENCE

FOLDER = REFERENCE / "families"
RANK, ALPHA, PROMPT, PREFIX = 3, 6, 2, 3
BATCH, LENGTH, NEW_TOKENS = 2, 7, 32


@dataclass
class Family:
    """Where a family keeps its parts."""
    blocks: str                                   # path of the list of blocks
    modules: list[str]                            # LoRA targets, by the end of their path
    kv_heads: Callable = lambda config: config.num_key_value_heads
    head_dim: Callable = lambda config: getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    takes_positions: bool = True                  # whether the model takes position_ids
    cached_heads: Callable = lambda config, x: x  # keys or values [batch, kvHeads, n, headDim] as the model caches them
    tables: Callable | None = None                # (model, positions) -> rotary tables by name
    extra: dict = field(default_factory=dict)     # of LoraConfig
    renamed: dict = field(default_factory=dict)   # parameters that checkpoints call otherwise


def fill(model):
    """Values far from those of a fresh model: norms apart from 1, biases apart from 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name or "ln_" in name
            if is_norm and name.endswith("weight"):
                centre = 0 if parameter.abs().max() == 0 else 1
                parameter.copy_(centre + 0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            else:
                # a tied head would answer every token with itself if embeddings outweighed the blocks
                size = 2 if "wpe" in name or "positions" in name else 0.4 if "embed" in name or "wte" in name else 1
                parameter.copy_(size * torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)


def build(name, spec):
    """Writes the model's directory and returns it loaded in float32."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    init = dict(spec["init"])
    config = AutoConfig.for_model(init.pop("model_type"), eos_token_id=2, bos_token_id=1, pad_token_id=None, **init)
    model = AutoModelForCausalLM.from_config(config)
    fill(model)
    model.tie_weights()
    model.to(spec.get("dtype", torch.float32)).save_pretrained(folder)
    path = folder / "config.json"
    written = json.loads(path.read_text()) | spec.get("config", {})
    path.write_text(json.dumps({key: value for key, value in written.items() if key not in spec.get("drop", [])}, indent=2) + "\n")
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "model.safetensors").chmod(0o644)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **{"attn_implementation": "eager"} | spec.get("load", {})).eval()


def submodule(model, path):
    for part in path.split("."):
        model = getattr(model, part)
    return model


def lora_layers(model, family):
    for path, module in model.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            block, name = path.split(f"{family.blocks}.")[1].split(".", 1)
            yield f"blocks.{block}.lora.{name}", module


def run_blocks(model, family, hidden, mask, prompts=None, prefixes=None):
    """All blocks without what comes before and after: hidden states in, hidden states out."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    layers, outputs, hooks = submodule(base, family.blocks), [], []
    cache = None
    for block, layer in enumerate(layers):
        def replace(_, arguments, block=block):
            x = hidden if block == 0 else arguments[0]
            if prompts is not None:
                x = x + torch.nn.functional.pad(prompts[block], (0, 0, 0, x.shape[1] - PROMPT))
            return (x, *arguments[1:])
        hooks.append(layer.register_forward_pre_hook(replace))
    options = dict(position_ids=(mask.cumsum(1) - 1).clamp(min=0)) if family.takes_positions else {}
    if prefixes is not None:
        cache = DynamicCache(config=base.config)
        for block, parts in enumerate(prefixes):
            key, value = [family.cached_heads(base.config, part.transpose(0, 1).expand(hidden.shape[0], -1, -1, -1)) for part in parts]
            cache.update(key, value, block)
        mask = torch.cat([torch.ones(hidden.shape[0], PREFIX, dtype=torch.long), mask], 1)
    hooks.append(layers[-1].register_forward_hook(lambda *call: outputs.append(call[2])))
    base(input_ids=torch.zeros(hidden.shape[:2], dtype=torch.long), attention_mask=mask, past_key_values=cache,
         use_cache=cache is not None, **options)
    for hook in hooks:
        hook.remove()
    return outputs[0][0] if isinstance(outputs[0], tuple) else outputs[0]


def small(*shape):
    """A trained tensor, small enough that attention does not saturate: PyTorch's own rounding would show."""
    return (0.3 * torch.randn(*shape)).requires_grad_()


def block_cases(model, family, config):
    ones = torch.ones(BATCH, LENGTH, dtype=torch.long)
    left, right = ones.clone(), ones.clone()
    left[0, :3] = 0
    right[1, -2:] = 0
    tensors = {}
    for case, mask in {"plain": ones, "left": left, "right": right}.items():
        hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
        grad = torch.randn(BATCH, LENGTH, config.hidden_size) * mask[..., None]
        out = run_blocks(model, family, hidden, mask)
        out.backward(grad)
        values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
        tensors |= {f"{case}.{name}": value for name, value in values.items()}
    return tensors


def port_case(model, family, config):
    """LoRA on every module by PEFT, prompts and prefixes, with the gradients of all of them."""
    peft = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=family.modules, lora_dropout=0.0, **family.extra))
    scaling = ALPHA / RANK
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    for _, layer in lora_layers(peft, family):
        with torch.no_grad():
            layer.lora_A["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_A["default"].weight))
            layer.lora_B["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_B["default"].weight))
    blocks = range(config.num_hidden_layers)
    prompts = [small(PROMPT, config.hidden_size) for _ in blocks]
    prefixes = [[small(PREFIX, family.kv_heads(config), family.head_dim(config)) for _ in "kv"] for _ in blocks]
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    grad = torch.randn(BATCH, LENGTH, config.hidden_size)
    out = run_blocks(peft, family, hidden, mask, prompts, prefixes)
    out.backward(grad)
    values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
    for name, layer in lora_layers(peft, family):
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        values |= {f"{name}.A": a, f"{name}.B": b * scaling, f"grad.{name}.A": a.grad, f"grad.{name}.B": b.grad / scaling}
    for block in blocks:
        named = {"prompt": prompts[block], "prefix.key": prefixes[block][0], "prefix.value": prefixes[block][1]}
        for name, value in named.items():
            grad = torch.zeros_like(value) if value.grad is None else value.grad
            values |= {f"blocks.{block}.{name}": value, f"grad.blocks.{block}.{name}": grad}
    names = sorted(get_peft_model_state_dict(peft))
    peft.unload()
    return {f"ports.{name}": value for name, value in values.items()}, names


def vector_case(model, family, config):
    """Vectors multiplied onto inputs and outputs of every linear module, and added to every bias, with their gradients."""
    model.zero_grad()
    model.requires_grad_(False)
    values, hooks, biases = {}, [], {}
    for block, layer in enumerate(submodule(model, family.blocks)):
        for path, module in layer.named_modules():
            if getattr(module, "bias", None) is not None:
                delta = 0.3 * torch.randn_like(module.bias)
                module.bias = torch.nn.Parameter(module.bias + delta)
                biases[f"blocks.{block}.bias.{path}"] = (delta, module.bias)
            if not any(path == name or path.endswith(f".{name}") for name in family.modules):
                continue
            # Conv1D keeps its weight the other way round
            outputs, inputs = module.weight.shape if isinstance(module, torch.nn.Linear) else module.weight.T.shape
            before, after = [(1 + 0.2 * torch.randn(size)).requires_grad_() for size in (inputs, outputs)]
            values |= {f"blocks.{block}.scale.{path}.input": before, f"blocks.{block}.scale.{path}.output": after}
            hooks.append(module.register_forward_pre_hook(lambda _, given, before=before: (given[0] * before, *given[1:])))
            hooks.append(module.register_forward_hook(lambda _, given, out, after=after: out * after))
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    grad = torch.randn(BATCH, LENGTH, config.hidden_size)
    out = run_blocks(model, family, hidden, mask)
    out.backward(grad)
    for hook in hooks:
        hook.remove()
    values |= {f"grad.{name}": value.grad for name, value in values.items()}
    for name, (delta, bias) in biases.items():
        values |= {name: delta, f"grad.{name}": bias.grad}
    values |= dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
    return {f"vectors.{name}": value for name, value in values.items()}


def prompt_tuning_case(model, config):
    """Trained embeddings before those of the tokens, by PEFT: loss and their gradient."""
    width = model.get_input_embeddings().weight.shape[1]
    peft = get_peft_model(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=PROMPT, token_dim=width))
    prompt = peft.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        prompt.copy_(small(PROMPT, width))
    ids = torch.randint(3, config.vocab_size, (BATCH, LENGTH))
    out = peft(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids)
    out.loss.backward()
    return {f"prompt_tuning.{name}": value for name, value in dict(ids=ids, prompt=prompt, loss=out.loss, grad_prompt=prompt.grad).items()}


def model_case(model, family, config):
    """The whole model from ids, padded on the right, with the gradients of everything outside its blocks."""
    model.zero_grad()
    ids = torch.randint(3, config.vocab_size, (BATCH, LENGTH + 4))
    mask = torch.ones_like(ids)
    mask[1, -3:] = 0
    labels = ids.masked_fill(mask == 0, -100)
    labels[0, :4] = -100
    out = model(input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    values = dict(ids=ids, mask=mask, labels=labels, logits=out.logits, loss=out.loss)
    for name, parameter in model.named_parameters():
        if f"{family.blocks}." not in name:
            values[f"grad.{family.renamed.get(name, name)}"] = parameter.grad
    return {f"model.{name}": value for name, value in values.items()}


def greedy_case(model, config):
    """A prompt whose greedy continuation does not hang on rounding: the best two tokens are apart at every step."""
    best = (0, 0, None)
    for attempt in range(40):
        ids = torch.randint(3, config.vocab_size, (1, 5))
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW_TOKENS,
                             eos_token_id=None, pad_token_id=0, output_logits=True, return_dict_in_generate=True)
        margin = min((lambda top: (top[0] - top[1]).item())(step[0].topk(2).values) for step in out.logits)
        tokens = out.sequences[0, 5:]
        if margin > 2e-3 and len(set(tokens.tolist())) > best[0]:
            best = (len(set(tokens.tolist())), margin, dict(ids=ids, tokens=tokens))
        if best[0] > (4 if attempt < 8 else 1):
            break
    print("  different tokens", best[0], "margin", best[1])
    return {f"greedy.{name}": value for name, value in best[2].items()}


def half_tables(model, positions):
    cos, sin = model.get_base_model().rotary_emb(torch.zeros(1), positions) if hasattr(model, "get_base_model") else \
        submodule(model, model.base_model_prefix).rotary_emb(torch.zeros(1), positions)
    half = cos.shape[-1] // 2
    return {"cos": cos[0, :, :half], "sin": sin[0, :, :half]}


def write(models, family, first_seed):
    for seed, (name, spec) in enumerate(models.items(), first_seed):
        torch.manual_seed(seed)
        model = build(name, spec)
        config = model.config
        tensors = greedy_case(model, config) | model_case(model, family, config) | block_cases(model, family, config)
        ports, names = port_case(model, family, config)
        tensors |= ports | prompt_tuning_case(model, config)
        tensors |= vector_case(model, family, config)  # the last: it changes the model
        if family.tables is not None:
            tables = family.tables(model, torch.arange(config.max_position_embeddings)[None])
            tensors |= {f"rotary.{key}": value for key, value in tables.items()}
        flat = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        save_file(flat, FOLDER / f"{name}.safetensors", metadata={"peft": json.dumps(names)})
        (FOLDER / f"{name}.safetensors").chmod(0o644)
        print(name, sum(value.numel() * value.element_size() for value in flat.values()))
