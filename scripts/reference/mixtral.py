"""Mixtral: two of several experts for each token."""
import torch

from family import Family, half_tables, write

FAMILY = Family(blocks="model.layers", modules=["q_proj", "k_proj", "v_proj", "o_proj"], tables=half_tables)
SHAPE = dict(model_type="mixtral", num_hidden_layers=2, max_position_embeddings=48)
MODELS = {
    "mixtral": dict(init=SHAPE | dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=24,
                                      vocab_size=67, num_local_experts=8)),
    "mixtral-odd": dict(
        init=SHAPE | dict(hidden_size=30, num_attention_heads=3, num_key_value_heads=1, intermediate_size=20, vocab_size=61,
                          num_local_experts=5, num_experts_per_tok=3, sliding_window=4, tie_word_embeddings=True),
        load=dict(experts_implementation="eager"),
        dtype=torch.float16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 160)
