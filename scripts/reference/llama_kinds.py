"""Kinds of Llama that came after llama.py: norms of heads, sliding windows, scaled angles."""
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from common import REFERENCE
from family import FOLDER, Family, half_tables, write

FAMILY = Family(blocks="model.layers", tables=half_tables,
                modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
SHAPE = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, num_hidden_layers=2,
             max_position_embeddings=48, vocab_size=67)
MODELS = {
    "qwen3": dict(init=SHAPE | dict(model_type="qwen3", head_dim=16, tie_word_embeddings=True)),
    "qwen3-sliding": dict(
        init=SHAPE | dict(model_type="qwen3", head_dim=10, attention_bias=True, use_sliding_window=True, sliding_window=3,
                          max_window_layers=1),
        dtype=torch.bfloat16),
    "mistral-sliding": dict(init=SHAPE | dict(model_type="mistral", head_dim=16, sliding_window=4)),
    "yarn": dict(init=SHAPE | dict(
        model_type="qwen2", rope_parameters=dict(rope_type="yarn", rope_theta=1000.0, factor=4.0,
                                                 original_max_position_embeddings=12))),
    "yarn-mscale": dict(
        init=SHAPE | dict(model_type="llama", rope_parameters=dict(
            rope_type="yarn", rope_theta=500.0, factor=3.0, original_max_position_embeddings=16, mscale=1.2, mscale_all_dim=0.7,
            beta_fast=4.0, beta_slow=1.0, truncate=False)),
        dtype=torch.float16),
    "dynamic": dict(init=SHAPE | dict(
        model_type="llama", head_dim=8, rope_parameters=dict(rope_type="dynamic", rope_theta=1000.0, factor=2.0))),
}


def long_sequences(name):
    """Beyond max_position_embeddings, where the angles of dynamic scaling depend on the length. Angles are state of transformers'
    models, so that each case has a model of its own."""
    torch.manual_seed(190)
    load = lambda: AutoModelForCausalLM.from_pretrained(FOLDER / name, dtype=torch.float32, attn_implementation="eager").eval()
    config = load().config
    ids = torch.randint(3, config.vocab_size, (2, 72))
    mask = torch.ones_like(ids)
    mask[1, -20:] = 0
    labels = ids.masked_fill(mask == 0, -100)
    model = load()
    out = model(input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    tensors = {"ids": ids, "mask": mask, "labels": labels, "logits": out.logits, "loss": out.loss,
               "grad_norm": model.model.norm.weight.grad, "grad_embedding": model.get_input_embeddings().weight.grad}
    for length, count in ((30, 50), (64, 30)):
        for attempt in range(200):
            prompt = torch.randint(3, config.vocab_size, (1, length))
            made = load().generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=count, eos_token_id=None,
                                   pad_token_id=0, output_logits=True, return_dict_in_generate=True)
            margin = min((lambda top: (top[0] - top[1]).item())(step[0].topk(2).values) for step in made.logits)
            tokens = made.sequences[0, length:]
            if margin > 2e-3 and len(set(tokens[-20:].tolist())) > 2:
                break
        else:
            raise RuntimeError("no prompt found")
        print("  attempt", attempt, "margin", margin, "different tokens", len(set(tokens.tolist())))
        tensors |= {f"prompt{length}": prompt, f"tokens{length}": tokens}
    path = FOLDER / f"{name}-long.safetensors"
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, path)
    path.chmod(0o644)


FLOAT8 = {
    "float8": dict(init=SHAPE | dict(model_type="llama", head_dim=8, tie_word_embeddings=False), dtype=torch.float8_e4m3fn),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 170)
    write(FLOAT8, FAMILY, 195)
    # every code
    codes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    save_file({"codes": codes, "values": codes.float()}, REFERENCE / "float8.safetensors")
    (REFERENCE / "float8.safetensors").chmod(0o644)
    long_sequences("dynamic")
