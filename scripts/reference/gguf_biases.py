"""Llamas with biases as GGUF files, and the logits of the models that they were made from.

  gguf/biases-<kind>.gguf    `all`: every linear module has one; `qkv`: queries, keys and values only (a Qwen 2 written as a llama)
  gguf/biases.json           { ids, all: logits of the last position, qkv: … }

Rows of q and k are reordered as LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py does it, weights and biases alike.
"""
import json

import gguf
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from common import REFERENCE

OUT = REFERENCE / "gguf"
SIZES = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, vocab_size=24, num_hidden_layers=2,
             max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False)
IDS = [1, 5, 9, 3, 7, 2]
NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
OTHERS = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def permute(weights, heads):
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def name_of(name):
    if name in OTHERS:
        return OTHERS[name]
    _, _, block, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{block}.{NAMES[module]}.{kind}"


def write(kind, model):
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter) if "norm" not in name else 1 + 0.2 * torch.randn_like(parameter))
    writer = gguf.GGUFWriter(OUT / f"biases-{kind}.gguf", "llama")
    writer.add_context_length(SIZES["max_position_embeddings"])
    writer.add_embedding_length(SIZES["hidden_size"])
    writer.add_block_count(SIZES["num_hidden_layers"])
    writer.add_feed_forward_length(SIZES["intermediate_size"])
    writer.add_head_count(SIZES["num_attention_heads"])
    writer.add_head_count_kv(SIZES["num_key_value_heads"])
    writer.add_rope_dimension_count(SIZES["hidden_size"] // SIZES["num_attention_heads"])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(SIZES["rms_norm_eps"])
    for name, value in model.state_dict().items():
        value = value.numpy()
        if ".q_proj." in name:
            value = permute(value, SIZES["num_attention_heads"])
        if ".k_proj." in name:
            value = permute(value, SIZES["num_key_value_heads"])
        writer.add_tensor(name_of(name), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with torch.no_grad():
        return [round(value, 6) for value in model.eval()(torch.tensor([IDS])).logits[0, -1].tolist()]


found = {
    "all": write("all", LlamaForCausalLM(LlamaConfig(attention_bias=True, mlp_bias=True, **SIZES))),
    "qkv": write("qkv", Qwen2ForCausalLM(Qwen2Config(**SIZES))),
}
(OUT / "biases.json").write_text(json.dumps(dict(ids=IDS) | found) + "\n")
