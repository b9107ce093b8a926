"""GGUF files with scaled rotary angles, and the angles that transformers computes from the configuration they stand for.

  gguf/rope-<kind>.gguf    headers of a llama, with no tensors but the embeddings and, where the kind has them, the factors
  gguf/rope.safetensors    <kind>.cos and <kind>.sin, [positions, rotated / 2]
"""
import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from common import REFERENCE

OUT = REFERENCE / "gguf"
HIDDEN, HEADS, CONTEXT, THETA = 64, 2, 512, 5000.0
KINDS = {
    "none": dict(rope_type="default"),
    "linear": dict(rope_type="linear", factor=4.0),
    "yarn": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128),
    "yarn-factors": dict(rope_type="yarn", factor=3.0, original_max_position_embeddings=64, beta_fast=16.0, beta_slow=2.0,
                         attention_factor=1.5 * (0.1 * float(np.log(3.0)) + 1)),
    "llama3": dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=128),
}


def rotary(parameters):
    return LlamaRotaryEmbedding(LlamaConfig(hidden_size=HIDDEN, num_attention_heads=HEADS, max_position_embeddings=CONTEXT,
                                            rope_parameters=parameters | dict(rope_theta=THETA)))


tensors = {}
for kind, parameters in KINDS.items():
    writer = gguf.GGUFWriter(OUT / f"rope-{kind}.gguf", "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(THETA)
    writer.add_layer_norm_rms_eps(1e-5)
    if kind == "none":
        # the end of a message is another token than that of a text
        writer.add_eos_token_id(1)
        writer.add_eot_token_id(2)
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)
    if kind.startswith("yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(parameters["factor"])
        writer.add_rope_scaling_orig_ctx_len(parameters["original_max_position_embeddings"])
    if kind == "yarn-factors":
        writer.add_rope_scaling_yarn_beta_fast(16.0)
        writer.add_rope_scaling_yarn_beta_slow(2.0)
        writer.add_rope_scaling_attn_factors(1.5)
    if kind == "llama3":
        # as llama.cpp's conversion has them: how many times slower each pair turns
        factors = rotary(dict(rope_type="default")).inv_freq / rotary(parameters).inv_freq
        writer.add_tensor("rope_freqs.weight", factors.numpy().astype(np.float32))
    writer.add_tensor("token_embd.weight", np.zeros((3, HIDDEN), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cos, sin = rotary(parameters)(torch.zeros(1), torch.arange(CONTEXT)[None, ::4])
    half = cos.shape[-1] // 2
    tensors |= {f"{kind}.cos": cos[0, :, :half].contiguous(), f"{kind}.sin": sin[0, :, :half].contiguous()}
save_file(tensors, OUT / "rope.safetensors")
(OUT / "rope.safetensors").chmod(0o644)
