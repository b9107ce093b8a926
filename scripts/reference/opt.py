"""OPT: learned positions with an offset; the shape of 350m with norms after the sums and narrow embeddings."""
import torch

from family import Family, write

FAMILY = Family(blocks="model.decoder.layers", modules=["k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2"],
                kv_heads=lambda config: config.num_attention_heads)
MODELS = {
    "opt": dict(init=dict(model_type="opt", hidden_size=32, num_attention_heads=4, num_hidden_layers=2, ffn_dim=48,
                          max_position_embeddings=48, vocab_size=67)),
    "opt-350m": dict(
        init=dict(model_type="opt", hidden_size=40, num_attention_heads=4, num_hidden_layers=2, ffn_dim=56, word_embed_proj_dim=24,
                  do_layer_norm_before=False, max_position_embeddings=48, vocab_size=61),
        dtype=torch.float16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 120)
