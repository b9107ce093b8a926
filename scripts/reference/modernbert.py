"""ModernBERT: global and local blocks; an odd one with biases, a mean over tokens, scaled angles and a head of its own."""
from transformers.models.modernbert import modeling_modernbert

from bert import prefixed_by
from encoder import Encoder, submodule, write


def tables(model, positions):
    found = {}
    for name, kind in {"": "full_attention", ".local": "sliding_attention"}.items():
        cos, sin = model.rotary_emb(model.embeddings.norm.weight[None, None], positions, kind)
        half = cos.shape[-1] // 2
        found |= {f"cos{name}": cos[0, :, :half], f"sin{name}": sin[0, :, :half]}
    return found


FAMILY = Encoder(blocks="layers", modules=["attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"], prefixed=prefixed_by(modeling_modernbert),
                 tables=tables)
SIZES = dict(model_type="modernbert", hidden_size=32, num_attention_heads=4, num_hidden_layers=3, intermediate_size=24,
             max_position_embeddings=48, vocab_size=67, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
MODELS = {
    "modernbert": dict(init=SIZES | dict(local_attention=6)),
    "modernbert-odd": dict(init=SIZES | dict(
        local_attention=8, layer_types=["sliding_attention", "full_attention", "sliding_attention"], attention_bias=True, mlp_bias=True,
        norm_bias=True, classifier_bias=True, decoder_bias=False, classifier_pooling="mean", hidden_activation="relu",
        classifier_activation="relu", tie_word_embeddings=False,
        rope_parameters={"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 350)
