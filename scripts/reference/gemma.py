"""Gemma, Gemma 2 (soft caps, every other block local) and the text part of Gemma 3 (norms of heads, angles of their own in local blocks)."""
import torch

from family import Family, half_tables, write

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def two_tables(model, positions):
    tables = {}
    for suffix, layer_type in (("", "full_attention"), (".local", "sliding_attention")):
        cos, sin = model.model.rotary_emb(torch.zeros(1), positions, layer_type)
        half = cos.shape[-1] // 2
        tables |= {f"cos{suffix}": cos[0, :, :half], f"sin{suffix}": sin[0, :, :half]}
    return tables


GEMMA2 = {
    "gemma2": dict(
        init=dict(model_type="gemma2", hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_hidden_layers=3,
                  intermediate_size=40, vocab_size=67, max_position_embeddings=48, sliding_window=4, query_pre_attn_scalar=24,
                  attn_logit_softcapping=2.0, final_logit_softcapping=3.0)),
}
GEMMA = {
    "gemma": dict(
        init=dict(model_type="gemma", hidden_size=32, num_attention_heads=4, num_key_value_heads=1, head_dim=24, num_hidden_layers=2,
                  intermediate_size=40, vocab_size=67, max_position_embeddings=48),
        config=dict(hidden_act="gelu", hidden_activation=None), dtype=torch.bfloat16),
}
OLD_ROPE = dict(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=dict(rope_type="linear", factor=8.0))
GEMMA3 = {
    "gemma3": dict(
        init=dict(model_type="gemma3_text", hidden_size=32, num_attention_heads=4, num_key_value_heads=1, head_dim=12, num_hidden_layers=3,
                  intermediate_size=40, vocab_size=67, max_position_embeddings=48, sliding_window=5, query_pre_attn_scalar=12,
                  layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                  rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
                                       sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
        config=OLD_ROPE, drop=["rope_parameters"]),
    "gemma3-new": dict(
        init=dict(model_type="gemma3_text", hidden_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=16, num_hidden_layers=2,
                  intermediate_size=40, vocab_size=61, max_position_embeddings=48, sliding_window=4,
                  layer_types=["sliding_attention", "full_attention"]),
        dtype=torch.bfloat16),
}

if __name__ == "__main__":
    write(GEMMA, Family(blocks="model.layers", modules=MODULES, tables=half_tables), 159)
    write(GEMMA2, Family(blocks="model.layers", modules=MODULES, tables=half_tables), 150)
    write(GEMMA3, Family(blocks="model.layers", modules=MODULES, tables=two_tables), 155)
