"""BLOOM: ALiBi over numbers of heads that are no power of two, a norm after the embeddings."""
import torch

from family import Family, write

FAMILY = Family(blocks="transformer.h", modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
                kv_heads=lambda config: config.num_attention_heads, takes_positions=False)
MODELS = {
    "bloom": dict(init=dict(model_type="bloom", hidden_size=48, n_head=6, n_layer=2, vocab_size=67), config=dict(seq_length=48)),
    "bloom-odd": dict(
        init=dict(model_type="bloom", hidden_size=30, n_head=3, n_layer=2, vocab_size=61,
                  apply_residual_connection_post_layernorm=True),
        config=dict(seq_length=48), dtype=torch.bfloat16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 110)
