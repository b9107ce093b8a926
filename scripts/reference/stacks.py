"""What the scripts of encoder-decoder families share: small random models, and what PyTorch and PEFT compute from them.

For every model: test/reference/families/<name>/ (a Hugging Face directory) and test/reference/families/<name>.safetensors with
inputs, outputs and gradients in float32. Tensors of a case are named `<case>.<stack>.<tensor>`; adapter tensors as the ports of a block
graph, with the blocks of the encoder first.
"""
import json
import shutil
from dataclasses import dataclass, field
from typing import Callable

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import (AutoConfig, AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, DynamicCache, EncoderDecoderCache)

from family import ALPHA, BATCH, FOLDER, LENGTH, PREFIX, PROMPT, RANK, small, submodule

SOURCE, NEW_TOKENS, LABELS = 6, 32, 3


@dataclass
class Stacks:
    """Where a family keeps its parts."""
    encoder: str                                  # path of the encoder: its list of blocks is at `blocks`
    decoder: str
    blocks: str
    modules: list[str]                            # LoRA targets, by the end of their path
    modeling: object                              # transformers' module, whose eager attention is wrapped for prefixes of encoders
    norms: tuple = ("norm",)                      # parameters of norms have one of these in their names
    is_self_attention: Callable = lambda path: "self_attn" in path
    extra_bias: Callable | None = None            # (attention, query length, prefix length) -> biases of a prefix's keys
    tasks: dict = field(default_factory=lambda: {"SEQ_CLS": AutoModelForSequenceClassification,
                                                 "TOKEN_CLS": AutoModelForTokenClassification,
                                                 "QUESTION_ANS": AutoModelForQuestionAnswering})


def fill(model, family):
    """Values far from those of a fresh model: norms apart from 1, biases apart from 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in family.norms) and name.endswith("weight") and parameter.dim() == 1:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            else:
                size = 2 if "position" in name else 0.6 if ("shared" in name or "embed" in name) else 1
                # scores that are not scaled would saturate
                size *= 0.5 if name.endswith((".q.weight", ".k.weight")) else 1
                columns = 1 if "relative" in name else parameter.shape[-1]
                parameter.copy_(size * torch.randn_like(parameter) / columns ** 0.5)
        for name, buffer in model.named_buffers():
            if name == "final_logits_bias":
                buffer.copy_(0.3 * torch.randn_like(buffer))


def build(name, spec, family):
    """Writes the model's directory and returns it loaded in float32."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    init = dict(spec["init"])
    config = AutoConfig.for_model(init.pop("model_type"), **init)
    model = AutoModelForSeq2SeqLM.from_config(config)
    if spec.get("untied"):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    fill(model, family)
    model.save_pretrained(folder)
    path = folder / "config.json"
    written = json.loads(path.read_text()) | spec.get("config", {})
    path.write_text(json.dumps({key: value for key, value in written.items() if key not in spec.get("drop", [])}, indent=2) + "\n")
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "model.safetensors").chmod(0o644)
    return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def base_of(model):
    return model.get_base_model() if hasattr(model, "peft_config") else model


def layers_of(model, family, stack):
    return submodule(base_of(model), f"{getattr(family, stack)}.{family.blocks}")


def first_block(model, family, stack):
    return 0 if stack == "encoder" else len(layers_of(model, family, "encoder"))


def self_attention(layer, family):
    return next(module for path, module in layer.named_modules() if family.is_self_attention(path) and hasattr(module, "scaling"))


class EncoderPrefix:
    """Trained keys and values before those of an encoder's tokens, which transformers and PEFT do not have: every token sees them."""

    def __init__(self, family, layers, prefixes):
        self.family, self.eager = family, family.modeling.eager_attention_forward
        self.of = {} if prefixes is None else {self_attention(layer, family): prefix for layer, prefix in zip(layers, prefixes)}
        # a table of biases is that of the first block where the others have none
        self.owner = self_attention(layers[0], family)

    def __enter__(self):
        def forward(module, query, key, value, mask, position_bias=None, **kwargs):
            if module in self.of:
                key, value = [torch.cat([part.transpose(0, 1).expand(len(query), -1, -1, -1), x], 2) for part, x in zip(self.of[module], (key, value))]
                mask = torch.nn.functional.pad(mask, (PREFIX, 0)) if mask is not None else None
                if position_bias is not None:
                    owner = module if getattr(module, "has_relative_attention_bias", False) else self.owner
                    position_bias = torch.cat([self.family.extra_bias(owner, query.shape[2], PREFIX), position_bias], 3)
            if position_bias is not None:
                kwargs["position_bias"] = position_bias
            return self.eager(module, query, key, value, mask, **kwargs)
        self.family.modeling.eager_attention_forward = forward

    def __exit__(self, *_):
        self.family.modeling.eager_attention_forward = self.eager


def run_blocks(model, family, stack, inputs, prompts=None, prefixes=None):
    """The blocks of a stack without what comes before and after: hidden states in, hidden states out."""
    layers, outputs, hooks = layers_of(model, family, stack), [], []
    hidden, mask = inputs["hidden"], inputs["mask"]
    for block, layer in enumerate(layers):
        def replace(_, arguments, block=block):
            x = hidden if block == 0 else arguments[0]
            if prompts is not None:
                x = x + torch.nn.functional.pad(prompts[block], (0, 0, 0, x.shape[1] - PROMPT))
            return (x, *arguments[1:])
        hooks.append(layer.register_forward_pre_hook(replace))
    hooks.append(layers[-1].register_forward_hook(lambda *call: outputs.append(call[2])))
    options = {}
    if stack == "decoder":
        options = dict(encoder_hidden_states=inputs["encoder_hidden"], encoder_attention_mask=inputs["encoder_mask"], use_cache=False)
        if prefixes is not None:
            # as PEFT fills the cache: nothing before what the encoder says
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
            for block, parts in enumerate(prefixes):
                cache.self_attention_cache.update(*[part.transpose(0, 1).expand(len(hidden), -1, -1, -1) for part in parts], block)
                cache.is_updated[block] = False
            options |= dict(cache=cache, use_cache=True)
            mask = torch.cat([torch.ones(len(hidden), PREFIX, dtype=torch.long), mask], 1)
    with EncoderPrefix(family, layers, prefixes if stack == "encoder" else None):
        submodule(base_of(model), getattr(family, stack))(input_ids=torch.zeros(hidden.shape[:2], dtype=torch.long), attention_mask=mask, **options)
    for hook in hooks:
        hook.remove()
    return outputs[0][0] if isinstance(outputs[0], tuple) else outputs[0]


def stack_inputs(stack, width, mask, source_mask):
    inputs = dict(hidden=torch.randn(BATCH, LENGTH, width, requires_grad=True), mask=mask)
    if stack == "decoder":
        inputs |= dict(encoder_hidden=torch.randn(BATCH, SOURCE, width, requires_grad=True), encoder_mask=source_mask)
    return inputs


def finished(inputs, out, grad):
    """What went in and came out, with the gradients of the states."""
    out.backward(grad)
    gradients = {f"grad.{name}": value.grad for name, value in inputs.items() if value.requires_grad}
    return dict(inputs, hidden_out=out) | {"grad.hidden_out": grad} | gradients


def named(case, stack, values):
    return {f"{case}.{stack}.{name}": value for name, value in values.items()}


def block_cases(model, family, width):
    tensors = {}
    for stack in ("encoder", "decoder"):
        ones, source = torch.ones(BATCH, LENGTH, dtype=torch.long), torch.ones(BATCH, SOURCE, dtype=torch.long)
        left, right, short = ones.clone(), ones.clone(), source.clone()
        left[0, :3] = 0
        right[1, -2:] = 0
        short[0, -2:] = 0
        for case, masks in {"plain": (ones, source), "left": (left, short), "right": (right, short)}.items():
            inputs = stack_inputs(stack, width, *masks)
            out = run_blocks(model, family, stack, inputs)
            tensors |= named(case, stack, finished(inputs, out, torch.randn(BATCH, LENGTH, width) * masks[0][..., None]))
    return tensors


def full_inputs(stack, width):
    return stack_inputs(stack, width, torch.ones(BATCH, LENGTH, dtype=torch.long), torch.ones(BATCH, SOURCE, dtype=torch.long))


def port_cases(model, family, width, heads):
    """LoRA on every module by PEFT, prompts and prefixes, with the gradients of all of them."""
    peft = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=family.modules, lora_dropout=0.0))
    scaling = ALPHA / RANK
    tensors = {}
    for stack in ("encoder", "decoder"):
        first, layers = first_block(peft, family, stack), layers_of(peft, family, stack)
        lora = {f"blocks.{first + block}.lora.{path}": module for block, layer in enumerate(layers)
                for path, module in layer.named_modules() if hasattr(module, "lora_A") and "default" in module.lora_A}
        for layer in lora.values():
            with torch.no_grad():
                layer.lora_A["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_A["default"].weight))
                layer.lora_B["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_B["default"].weight))
        prompts = [small(PROMPT, width) for _ in layers]
        prefixes = [[small(PREFIX, *heads) for _ in "kv"] for _ in layers]
        inputs = full_inputs(stack, width)
        out = run_blocks(peft, family, stack, inputs, prompts, prefixes)
        values = finished(inputs, out, torch.randn(BATCH, LENGTH, width))
        for name, layer in lora.items():
            a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            values |= {f"{name}.A": a, f"{name}.B": b * scaling, f"grad.{name}.A": a.grad, f"grad.{name}.B": b.grad / scaling}
        for block in range(len(layers)):
            parts = {"prompt": prompts[block], "prefix.key": prefixes[block][0], "prefix.value": prefixes[block][1]}
            for name, value in parts.items():
                values |= {f"blocks.{first + block}.{name}": value, f"grad.blocks.{first + block}.{name}": value.grad}
        tensors |= named("ports", stack, values)
    names = sorted(get_peft_model_state_dict(peft))
    peft.unload()
    return tensors, names


def vector_cases(model, family, width):
    """Vectors multiplied onto inputs and outputs of every linear module, and added to every bias, with their gradients."""
    model.zero_grad()
    model.requires_grad_(False)
    tensors = {}
    for stack in ("encoder", "decoder"):
        values, hooks, biases = {}, [], {}
        first = first_block(model, family, stack)
        for block, layer in enumerate(layers_of(model, family, stack), first):
            for path, module in layer.named_modules():
                if getattr(module, "bias", None) is not None:
                    delta = 0.3 * torch.randn_like(module.bias)
                    module.bias = torch.nn.Parameter(module.bias + delta)
                    biases[f"blocks.{block}.bias.{path}"] = (delta, module.bias)
                if not any(path == name or path.endswith(f".{name}") for name in family.modules):
                    continue
                outputs, columns = module.weight.shape
                before, after = [(1 + 0.2 * torch.randn(size)).requires_grad_() for size in (columns, outputs)]
                values |= {f"blocks.{block}.scale.{path}.input": before, f"blocks.{block}.scale.{path}.output": after}
                hooks.append(module.register_forward_pre_hook(lambda _, given, before=before: (given[0] * before, *given[1:])))
                hooks.append(module.register_forward_hook(lambda _, given, out, after=after: out * after))
        inputs = full_inputs(stack, width)
        done = finished(inputs, run_blocks(model, family, stack, inputs), torch.randn(BATCH, LENGTH, width))
        for hook in hooks:
            hook.remove()
        values |= {f"grad.{name}": value.grad for name, value in values.items()}
        for name, (delta, bias) in biases.items():
            values |= {name: delta, f"grad.{name}": bias.grad}
        tensors |= named("vectors", stack, values | done)
    return tensors


def model_case(model, family, config):
    """The whole model from ids, padded on the right, with the gradients of everything outside its blocks."""
    model.zero_grad()
    ids = torch.randint(3, config.vocab_size, (BATCH, LENGTH + 4))
    mask = torch.ones_like(ids)
    mask[1, -3:] = 0
    labels = torch.randint(3, config.vocab_size, (BATCH, LENGTH))
    labels[0, -2:] = -100
    out = model(input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    inputs = model.prepare_decoder_input_ids_from_labels(labels=labels)
    values = dict(ids=ids, mask=mask, labels=labels, inputs=inputs, logits=out.logits, loss=out.loss, encoder=out.encoder_last_hidden_state)
    inside = [f"{getattr(family, stack)}.{family.blocks}." for stack in ("encoder", "decoder")]
    for name, parameter in model.named_parameters():
        if not any(name.startswith(path) for path in inside):
            values[f"grad.{name}"] = parameter.grad
    return {f"model.{name}": value for name, value in values.items()}


def generation_cases(model, config):
    """Inputs whose greedy continuation does not hang on rounding, and beams over the same."""
    best = (0, 0, None)
    options = dict(max_new_tokens=NEW_TOKENS, eos_token_id=None, forced_eos_token_id=None, forced_bos_token_id=None, do_sample=False)
    for attempt in range(60):
        ids = torch.randint(3, config.vocab_size, (1, 9))
        out = model.generate(ids, attention_mask=torch.ones_like(ids), output_logits=True, return_dict_in_generate=True, **options)
        margin = min((lambda top: (top[0] - top[1]).item())(step[0].topk(2).values) for step in out.logits)
        tokens = out.sequences[0]
        if margin > 2e-3 and len(set(tokens.tolist())) > best[0]:
            best = (len(set(tokens.tolist())), margin, dict(ids=ids, tokens=tokens))
        if best[0] > (8 if attempt < 20 else 2):
            break
    print("  different tokens", best[0], "margin", best[1])
    beams = model.generate(best[2]["ids"], attention_mask=torch.ones_like(ids), num_beams=3, num_return_sequences=2, **options)
    return {f"greedy.{name}": value for name, value in best[2].items()} | {"beams.tokens": beams}


def task_cases(model, family, folder):
    """Logits of the classes for tasks over states that their body gives: `states` of every place, `logits` of what the head takes."""
    tensors = {}
    for task, auto in family.tasks.items():
        own = auto.from_pretrained(folder, num_labels=2 if task == "QUESTION_ANS" else LABELS, attn_implementation="eager", dtype=torch.float32).eval()
        with torch.no_grad():
            body = {name for name, _ in model.named_parameters()}
            fresh = {name: value for name, value in own.named_parameters() if name.split("transformer.", 1)[-1] not in body and name.split("model.", 1)[-1] not in body and name not in body}
            for value in fresh.values():
                value.copy_(0.5 * torch.randn_like(value))
        states = []
        norm = family.states(own, task)
        hook = norm.register_forward_hook(lambda _, __, out: states.append(out if isinstance(out, torch.Tensor) else out[0]))
        ids = torch.randint(3, model.config.vocab_size, (BATCH, LENGTH))
        ids[0, 4], ids[1, -1] = model.config.eos_token_id, model.config.eos_token_id
        with torch.no_grad():
            out = own(input_ids=ids, attention_mask=torch.ones_like(ids))
        hook.remove()
        logits = out.logits if "logits" in out else torch.stack([out.start_logits, out.end_logits], -1)
        values = dict(ids=ids, states=states[-1], logits=logits)
        tensors |= {f"task.{task}.{name}": value for name, value in values.items()}
        tensors |= {f"task.{task}.tensor.{name}": value for name, value in fresh.items()}
    return tensors


def write(models, family, first_seed):
    for seed, (name, spec) in enumerate(models.items(), first_seed):
        torch.manual_seed(seed)
        model = build(name, spec, family)
        config = model.config
        width, heads = config.d_model, (config.num_attention_heads, getattr(config, "d_kv", None) or config.d_model // config.num_attention_heads)
        tensors = generation_cases(model, config) | model_case(model, family, config) | block_cases(model, family, width)
        ports, names = port_cases(model, family, width, heads)
        tensors |= ports
        if spec.get("tasks", True):
            tensors |= task_cases(model, family, FOLDER / name)
        tensors |= vector_cases(model, family, width)  # the last: it changes the model
        flat = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        save_file(flat, FOLDER / f"{name}.safetensors", metadata={"peft": json.dumps(names)})
        (FOLDER / f"{name}.safetensors").chmod(0o644)
        print(name, sum(value.numel() * value.element_size() for value in flat.values()))
