"""GPT-2: Conv1D weights, learned positions, scores scaled by the block's number."""
import torch

from family import Family, write

FAMILY = Family(blocks="transformer.h", modules=["c_attn", "c_proj", "c_fc"], kv_heads=lambda config: config.num_attention_heads,
                extra=dict(fan_in_fan_out=True))
MODELS = {
    "gpt2": dict(init=dict(model_type="gpt2", n_embd=32, n_head=4, n_layer=2, n_positions=48, vocab_size=67)),
    "gpt2-odd": dict(
        init=dict(model_type="gpt2", n_embd=30, n_head=5, n_layer=2, n_inner=44, n_positions=48, vocab_size=61,
                  scale_attn_by_inverse_layer_idx=True, activation_function="gelu", tie_word_embeddings=False),
        dtype=torch.float16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 100)
