"""Falcon: the shapes of 7B (one key/value head), 40B (groups, two norms), 11B (groups, one norm), an unshared, sequential one, and RW (ALiBi)."""
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers.models.falcon.modeling_falcon import build_alibi_tensor

from family import FOLDER, Family, half_tables, write


def kv_heads(config):
    if config.new_decoder_architecture:
        return config.num_kv_heads
    return 1 if config.multi_query else config.num_attention_heads


def cached_heads(config, x):
    """The new architecture caches keys and values once for every query head."""
    return x.repeat_interleave(config.num_attention_heads // x.shape[1], 1) if config.new_decoder_architecture else x


FAMILY = Family(blocks="transformer.h", modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
                kv_heads=kv_heads, cached_heads=cached_heads, tables=half_tables)
RW = Family(blocks=FAMILY.blocks, modules=FAMILY.modules, kv_heads=kv_heads)
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

RW_MODELS = {
    "falcon-rw": dict(
        init=SHAPE | dict(hidden_size=96, num_attention_heads=6, vocab_size=61, multi_query=False, parallel_attn=False, bias=True, alibi=True),
        # eager adds the biases twice, in the mask and in the scores
        load=dict(attn_implementation="sdpa"), dtype=torch.bfloat16),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 140)
    write(RW_MODELS, RW, 145)
    # as far as Falcon-RW goes: far positions are rounded
    path = FOLDER / "falcon-rw.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    bias = build_alibi_tensor(torch.ones(1, 2048, dtype=torch.long), 6, torch.float32)[:, 0, ::7]
    save_file(load_file(path) | {"alibi.bias": bias.contiguous()}, path, metadata=metadata)
    path.chmod(0o644)
