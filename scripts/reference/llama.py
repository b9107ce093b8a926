"""Small random models of the Llama family with what PyTorch computes from them.

For every model: test/reference/<name>/ (a Hugging Face directory) and test/reference/<name>.safetensors with inputs, outputs
and gradients in float32. Tensors of a case are named `<case>.<tensor>`; adapter tensors as the ports of a block graph.
"""
import json
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from common import REFERENCE

RANK, ALPHA, PROMPT, PREFIX = 3, 6, 2, 3
BATCH, LENGTH = 2, 7
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# Sizes are odd on purpose. `config` is edited into config.json after saving, so that older spellings are read too.
MODELS = {
    "grouped": dict(
        init=dict(model_type="llama", hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
                  vocab_size=64, num_hidden_layers=4, tie_word_embeddings=True),
        config=dict(rope_theta=5000.0, rope_parameters=None, head_dim=None),
        dtype=torch.float32, shard="64KB",
    ),
    "odd": dict(
        init=dict(model_type="llama", hidden_size=40, num_attention_heads=5, num_key_value_heads=1, intermediate_size=56,
                  vocab_size=97, num_hidden_layers=3, tie_word_embeddings=False, attention_bias=True, mlp_bias=True),
        config=dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=2.0), rope_parameters=None),
        dtype=torch.bfloat16, shard="24KB",
    ),
    "scaled": dict(
        init=dict(model_type="llama", hidden_size=48, num_attention_heads=6, num_key_value_heads=3, head_dim=16,
                  intermediate_size=72, vocab_size=61, num_hidden_layers=2, tie_word_embeddings=False),
        config=dict(rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
                                         high_freq_factor=4.0, original_max_position_embeddings=32)),
        dtype=torch.float16, shard=None,
    ),
    "narrow": dict(
        init=dict(model_type="llama", hidden_size=30, num_attention_heads=3, num_key_value_heads=3, intermediate_size=44,
                  vocab_size=50, num_hidden_layers=2, tie_word_embeddings=True, attention_bias=True),
        config=dict(), dtype=torch.bfloat16, shard=None,
    ),
    "mistral": dict(
        init=dict(model_type="mistral", hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                  intermediate_size=40, vocab_size=53, num_hidden_layers=2, tie_word_embeddings=False, sliding_window=None),
        config=dict(sliding_window=None), dtype=torch.bfloat16, shard=None,
    ),
    "qwen2": dict(
        init=dict(model_type="qwen2", hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40,
                  vocab_size=53, num_hidden_layers=2, tie_word_embeddings=True),
        config=dict(), dtype=torch.bfloat16, shard=None,
    ),
}


def build(name, spec):
    """Writes the model's directory and returns it loaded in float32."""
    folder = REFERENCE / name
    shutil.rmtree(folder, ignore_errors=True)
    init = dict(spec["init"])
    config = AutoConfig.for_model(init.pop("model_type"), max_position_embeddings=64, eos_token_id=2, bos_token_id=1, **init)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm" in parameter_name:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            else:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
    save = dict(max_shard_size=spec["shard"]) if spec["shard"] else {}
    model.to(spec["dtype"]).save_pretrained(folder, **save)
    path = folder / "config.json"
    written = json.loads(path.read_text()) | spec["config"]
    kept = {key: value for key, value in written.items() if value is not None or key == "sliding_window"}
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


class FixedMask(torch.nn.Module):
    """Dropout whose mask is given."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x * self.mask


def lora_layers(model):
    for path, module in model.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            block, module_name = path.split("layers.")[1].split(".", 1)
            yield f"blocks.{block}.lora.{module_name}", module


def run_blocks(model, hidden, mask, prompts=None, prefixes=None):
    """All blocks without the final norm: hidden states in, hidden states out."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    layers, outputs, hooks = base.model.layers, [], []
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = None
    if prompts is not None:
        for layer, prompt in zip(layers, prompts):
            def add_prompt(_, arguments, prompt=prompt):
                padded = torch.nn.functional.pad(prompt, (0, 0, 0, arguments[0].shape[1] - prompt.shape[0]))
                return (arguments[0] + padded, *arguments[1:])
            hooks.append(layer.register_forward_pre_hook(add_prompt))
    if prefixes is not None:
        cache = DynamicCache(config=base.config)
        for block, (key, value) in enumerate(prefixes):
            batch = hidden.shape[0]
            cache.update(key.transpose(0, 1).expand(batch, -1, -1, -1), value.transpose(0, 1).expand(batch, -1, -1, -1), block)
        mask = torch.cat([torch.ones(hidden.shape[0], PREFIX, dtype=torch.long), mask], 1)
    hooks.append(layers[-1].register_forward_hook(lambda *call: outputs.append(call[2])))
    base.model(inputs_embeds=hidden, attention_mask=mask, position_ids=positions, past_key_values=cache,
               use_cache=cache is not None)
    for hook in hooks:
        hook.remove()
    return outputs[0]


def small(*shape):
    """A trained tensor, small enough that attention does not saturate: PyTorch's own rounding would show."""
    return (0.3 * torch.randn(*shape)).requires_grad_()


def padding_cases():
    ones = torch.ones(BATCH, LENGTH, dtype=torch.long)
    left, right = ones.clone(), ones.clone()
    left[0, :3] = 0
    right[1, -2:] = 0
    return {"plain": ones, "left": left, "right": right}


def block_cases(model, config):
    tensors = {}
    for case, mask in padding_cases().items():
        hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
        grad = torch.randn(BATCH, LENGTH, config.hidden_size) * mask[..., None]
        out = run_blocks(model, hidden, mask)
        out.backward(grad)
        values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad)
        tensors |= {f"{case}.{name}": value for name, value in values.items()}
    return tensors


def port_case(model, config, case, dropout):
    """LoRA on every module by PEFT, prompts and prefixes, with the gradients of all of them."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    peft = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=MODULES, lora_dropout=0.0))
    scaling = ALPHA / RANK
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    tensors, masks = {}, {}
    for name, layer in lora_layers(peft):
        with torch.no_grad():
            layer.lora_A["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_A["default"].weight))
            layer.lora_B["default"].weight.copy_(0.1 * torch.randn_like(layer.lora_B["default"].weight))
        if dropout:
            masks[f"{name}.mask"] = (torch.rand(BATCH, LENGTH, layer.in_features) > 0.25) / 0.75
            layer.lora_dropout["default"] = FixedMask(masks[f"{name}.mask"])
    blocks = range(config.num_hidden_layers)
    prompts = [small(PROMPT, config.hidden_size) for _ in blocks]
    prefixes = [[small(PREFIX, config.num_key_value_heads, head_dim) for _ in "kv"] for _ in blocks]
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    grad = torch.randn(BATCH, LENGTH, config.hidden_size)
    out = run_blocks(peft, hidden, mask, prompts, prefixes)
    out.backward(grad)
    values = dict(hidden=hidden, mask=mask, hidden_out=out, grad_hidden_out=grad, grad_hidden=hidden.grad) | masks
    for name, layer in lora_layers(peft):
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        values |= {f"{name}.A": a, f"{name}.B": b * scaling, f"grad.{name}.A": a.grad, f"grad.{name}.B": b.grad / scaling}
    for block in blocks:
        named = {"prompt": prompts[block], "prefix.key": prefixes[block][0], "prefix.value": prefixes[block][1]}
        for name, value in named.items():
            values |= {f"blocks.{block}.{name}": value, f"grad.blocks.{block}.{name}": value.grad}
    tensors |= {f"{case}.{name}": value for name, value in values.items()}
    peft.unload()
    return tensors


def head_case(model, config):
    """Final norm, head and loss with gradients, the head's own part apart from a tied embedding's."""
    hidden = torch.randn(BATCH, LENGTH, config.hidden_size, requires_grad=True)
    labels = torch.randint(config.vocab_size, (BATCH, LENGTH))
    labels[0, :3] = -100
    labels[1, -1] = -100
    norm = model.model.norm.weight.detach().clone().requires_grad_()
    head = model.lm_head.weight.detach().clone().requires_grad_()
    normed = torch.func.functional_call(model.model.norm, {"weight": norm}, (hidden,))
    logits = torch.nn.functional.linear(normed, head)
    loss = model.loss_function(logits=logits, labels=labels, vocab_size=config.vocab_size)
    loss.backward()
    values = dict(hidden=hidden, labels=labels, logits=logits, loss=loss, grad_hidden=hidden.grad, grad_norm=norm.grad,
                  grad_head=head.grad)
    return {f"head.{name}": value for name, value in values.items()}


def model_case(model, config):
    """The whole model from ids, with the gradients of what a client may train."""
    ids = torch.randint(config.vocab_size, (BATCH, LENGTH + 4))
    labels = ids.clone()
    labels[0, :4] = -100
    embedding = model.model.embed_tokens.weight
    out = model(input_ids=ids, labels=labels)
    out.loss.backward()
    values = dict(ids=ids, labels=labels, logits=out.logits, loss=out.loss, grad_embedding=embedding.grad,
                  grad_norm=model.model.norm.weight.grad)
    if model.lm_head.weight is not embedding:
        values["grad_head"] = model.lm_head.weight.grad
    return {f"model.{name}": value for name, value in values.items()}


def main():
    for seed, (name, spec) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        model = build(name, spec)
        config = model.config
        tensors = model_case(model, config) | head_case(model, config) | block_cases(model, config)
        tensors |= port_case(model, config, "ports", dropout=False)
        if name == "grouped":
            tensors |= port_case(model, config, "dropout", dropout=True)
        half = config.head_dim // 2 if getattr(config, "head_dim", None) else config.hidden_size // config.num_attention_heads // 2
        cos, sin = model.model.rotary_emb(torch.zeros(1), torch.arange(64)[None])
        tensors |= {"rotary.cos": cos[0, :, :half], "rotary.sin": sin[0, :, :half]}
        flat = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        save_file(flat, REFERENCE / f"{name}.safetensors")
        print(name, sum(value.numel() * value.element_size() for value in flat.values()))


if __name__ == "__main__":
    main()
