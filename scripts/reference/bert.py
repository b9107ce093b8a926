"""BERT: learned positions, token types, a pooler; an odd one with three types, another activation and a head of its own."""
import contextlib
from unittest import mock

import torch
from transformers.models.bert import modeling_bert

from encoder import PREFIX, Encoder, write

MODULES = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
           "intermediate.dense", "output.dense"]


def prefixed_by(modeling):
    """Blocks of this module of transformers attend to prefixes [prefix, heads, headDim] before their tokens (arXiv 2110.07602)."""
    @contextlib.contextmanager
    def prefixed(_, prefixes):
        if prefixes is None:
            yield
            return
        plain, given = modeling.eager_attention_forward, iter(prefixes)

        def attend(module, query, key, value, attention_mask, **options):
            before = [part.transpose(0, 1).expand(query.shape[0], -1, -1, -1) for part in next(given)]
            key, value = torch.cat([before[0], key], 2), torch.cat([before[1], value], 2)
            if attention_mask is not None:
                attention_mask = torch.nn.functional.pad(attention_mask, (PREFIX, 0))
            return plain(module, query, key, value, attention_mask, **options)

        with mock.patch.object(modeling, "eager_attention_forward", attend):
            yield
        assert next(given, None) is None
    return prefixed


FAMILY = Encoder(blocks="encoder.layer", modules=MODULES, prefixed=prefixed_by(modeling_bert))
SIZES = dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=48, max_position_embeddings=48, vocab_size=67)
MODELS = {
    "bert": dict(init=dict(model_type="bert", **SIZES)),
    "bert-odd": dict(init=dict(model_type="bert", **SIZES | dict(hidden_size=40, num_attention_heads=8), type_vocab_size=3,
                               hidden_act="relu", layer_norm_eps=1e-3, tie_word_embeddings=False, pad_token_id=3)),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 300)
