"""GPT-NeoX: a quarter of each head is rotated; attention and MLP in parallel, or one after the other."""
import torch

from family import Family, half_tables, write

FAMILY = Family(blocks="gpt_neox.layers", modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
                kv_heads=lambda config: config.num_attention_heads, tables=half_tables,
                renamed={"lm_head.weight": "embed_out.weight"})
MODELS = {
    "gpt_neox": dict(
        init=dict(model_type="gpt_neox", hidden_size=64, num_attention_heads=4, num_hidden_layers=2, intermediate_size=72,
                  max_position_embeddings=48, vocab_size=67),
        config=dict(rotary_pct=0.25, rotary_emb_base=10000, rope_parameters=None), drop=["rope_parameters"]),
    "gpt_neox-sequential": dict(
        init=dict(model_type="gpt_neox", hidden_size=36, num_attention_heads=3, num_hidden_layers=2, intermediate_size=40,
                  max_position_embeddings=48, vocab_size=61, use_parallel_residual=False, attention_bias=False,
                  rope_parameters=dict(rope_type="default", rope_theta=5000.0, partial_rotary_factor=0.5)),
        dtype=torch.float16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 130)
