"""T5: tied and scaled; v1.1's gates, a head of its own, stacks of different depth and narrow heads; mT5; UMT5 with a table in each block."""
import torch
from transformers.models.mt5 import modeling_mt5
from transformers.models.t5 import modeling_t5
from transformers.models.umt5 import modeling_umt5

from stacks import Stacks, write


def t5_biases(attention, queries, prefix):
    """Biases of the keys of a prefix: as if it stood before the first token."""
    distances = torch.arange(-prefix, 0)[None] - torch.arange(queries)[:, None]
    if isinstance(attention, modeling_umt5.UMT5Attention):
        buckets = attention._relative_position_bucket(distances)
    else:
        buckets = attention._relative_position_bucket(distances, True, attention.relative_attention_num_buckets, attention.relative_attention_max_distance)
    return attention.relative_attention_bias(buckets).permute(2, 0, 1)[None]


def stacks(modeling, modules):
    family = Stacks(encoder="encoder", decoder="decoder", blocks="block", modules=modules, modeling=modeling,
                    is_self_attention=lambda path: path.endswith("SelfAttention"), extra_bias=t5_biases)
    # of token classification the encoder's states, else the decoder's
    family.states = lambda model, task: (model.transformer.encoder if task == "TOKEN_CLS" else getattr(model, "transformer", model).decoder).final_layer_norm
    return family


PLAIN, GATED = ["q", "k", "v", "o", "wi", "wo"], ["q", "k", "v", "o", "wi_0", "wi_1", "wo"]
SIZES = dict(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=67, relative_attention_num_buckets=8, relative_attention_max_distance=20,
             decoder_start_token_id=0)

if __name__ == "__main__":
    write({"t5": dict(init=dict(model_type="t5", **SIZES))}, stacks(modeling_t5, PLAIN), 7100)
    write({"t5-gated": dict(init=dict(model_type="t5", **SIZES | dict(d_model=24, d_kv=6, num_layers=2, num_decoder_layers=1, d_ff=40), feed_forward_proj="gated-gelu",
                                      tie_word_embeddings=False), untied=True, config=dict(tie_word_embeddings=False))}, stacks(modeling_t5, GATED), 7110)
    write({"mt5": dict(init=dict(model_type="mt5", **SIZES | dict(num_layers=1)), untied=True, config=dict(tie_word_embeddings=False), tasks=False)}, stacks(modeling_mt5, GATED), 7120)
    write({"umt5": dict(init=dict(model_type="umt5", **SIZES), tasks=False)}, stacks(modeling_umt5, GATED), 7130)
