"""Kinds of Llama that came after llama.py: norms of heads, sliding windows, scaled angles."""
import torch

from family import Family, half_tables, write

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

if __name__ == "__main__":
    write(MODELS, FAMILY, 170)
