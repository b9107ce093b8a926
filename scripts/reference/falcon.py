"""Falcon: the shapes of 7B (one key/value head), 40B (groups, two norms), 11B (groups, one norm) and an unshared, sequential one."""
import torch

from family import Family, half_tables, write


def kv_heads(config):
    if config.new_decoder_architecture:
        return config.num_kv_heads
    return 1 if config.multi_query else config.num_attention_heads


def cached_heads(config, x):
    """The new architecture caches keys and values once for every query head."""
    return x.repeat_interleave(config.num_attention_heads // x.shape[1], 1) if config.new_decoder_architecture else x


FAMILY = Family(blocks="transformer.h", modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
                kv_heads=kv_heads, cached_heads=cached_heads, tables=half_tables)
SHAPE = dict(model_type="falcon", num_hidden_layers=2, max_position_embeddings=48)
MODELS = {
    "falcon-7b": dict(init=SHAPE | dict(hidden_size=48, num_attention_heads=3, vocab_size=67)),
    "falcon-40b": dict(
        init=SHAPE | dict(hidden_size=48, num_attention_heads=6, num_kv_heads=2, new_decoder_architecture=True, vocab_size=61,
                          tie_word_embeddings=False),
        dtype=torch.bfloat16),
    "falcon-11b": dict(
        init=SHAPE | dict(hidden_size=40, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True, vocab_size=61,
                          num_ln_in_parallel_attn=1, ffn_hidden_size=56, bias=True),
        dtype=torch.float16),
    "falcon-sequential": dict(
        init=SHAPE | dict(hidden_size=32, num_attention_heads=4, vocab_size=61, multi_query=False, parallel_attn=False, bias=True),
        dtype=torch.float16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 140)
