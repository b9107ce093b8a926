"""DeBERTa v3 and v2: shared keys and ranges of distances; odd ones with matrices of their own, one kind only, narrow embeddings."""
import contextlib
import json
from unittest import mock

import torch
from transformers.models.deberta_v2 import modeling_deberta_v2 as modeling

from bert import SIZES
from common import REFERENCE
from encoder import PREFIX, Encoder, write


@contextlib.contextmanager
def prefixed(base, prefixes):
    """Blocks attend to prefixes [prefix, heads, headDim] in front (arXiv 2110.07602), which have no distance, as in the authors' code."""
    if prefixes is None:
        yield
        return
    given = iter(prefixes)

    def attend(self, hidden_states, attention_mask, output_attentions=False, query_states=None, relative_pos=None, rel_embeddings=None):
        batch, heads = hidden_states.shape[0], self.num_attention_heads
        q, k, v = [self.transpose_for_scores(layer(hidden_states), heads) for layer in (self.query_proj, self.key_proj, self.value_proj)]
        factor = 1 + sum(kind in self.pos_att_type for kind in ("c2p", "p2c"))
        bias = self.disentangled_attention_bias(q, k, relative_pos, rel_embeddings, factor) if self.relative_attention else 0
        before = [part.transpose(0, 1).repeat(batch, 1, 1) for part in next(given)]
        k, v = torch.cat([before[0], k], 1), torch.cat([before[1], v], 1)
        scores = q @ k.transpose(-1, -2) / modeling.scaled_size_sqrt(q, factor)
        scores = scores + torch.nn.functional.pad(bias, (PREFIX, 0)) if torch.is_tensor(bias) else scores
        mask = torch.nn.functional.pad(attention_mask.bool(), (PREFIX, 0), value=True)
        scores = scores.view(batch, heads, *scores.shape[-2:]).masked_fill(~mask, torch.finfo(scores.dtype).min)
        mixed = scores.softmax(-1) @ v.view(batch, heads, *v.shape[-2:])
        return mixed.transpose(1, 2).reshape(batch, hidden_states.shape[1], -1), None

    with mock.patch.object(modeling.DisentangledSelfAttention, "forward", attend):
        yield
    assert next(given, None) is None


SELF = ["attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"]
OUT = ["attention.output.dense", "intermediate.dense", "output.dense"]
OWN = ["attention.self.pos_key_proj", "attention.self.pos_query_proj"]
BASE = dict(model_type="deberta-v2", pad_token_id=0, **SIZES)
V3 = BASE | dict(relative_attention=True, pos_att_type="p2c|c2p", norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0,
                 pooler_hidden_size=32)
MODELS = {
    "deberta-v3": (SELF + OUT, V3 | dict(share_att_key=True, position_buckets=6, max_relative_positions=-1)),
    "deberta-v2-own": (SELF + OWN + OUT, V3 | dict(position_buckets=8, max_relative_positions=24, type_vocab_size=2,
                                                   position_biased_input=True, legacy=False, hidden_act="relu")),
    "deberta-v2-one": (SELF + OWN[:1] + OUT, V3 | dict(pos_att_type=["c2p"], norm_rel_ebd="none", max_relative_positions=4,
                                                       position_buckets=-1, embedding_size=24, pooler_hidden_act="tanh", tie_word_embeddings=False)),
    "deberta-v2-none": (SELF + OUT, BASE | dict(relative_attention=False, type_vocab_size=1)),
}

if __name__ == "__main__":
    for seed, (name, (modules, init)) in enumerate(MODELS.items(), 360):
        options = {}
        write({name: dict(init=init)}, Encoder(blocks="encoder.layer", modules=modules, prefixed=prefixed, options=options), seed)
    # the rows of every distance, as v3-base and smaller ones tell them apart
    rows = []
    for buckets, most, positions in [(256, 512, 512), (8, 24, 48), (16, 128, 200), (-1, 6, 20)]:
        states = torch.zeros(1, positions, 1)
        distances = modeling.build_relative_position(states, states, bucket_size=buckets, max_position=most)[0]
        span = buckets if buckets > 0 else most
        index = torch.clamp(distances + span, 0, 2 * span - 1)
        rows.append(dict(buckets=buckets, most=most, positions=positions,
                         rows=[*index[0].flip(0).tolist(), *index[1:, 0].tolist()]))
    (REFERENCE / "deberta-distances.json").write_text(json.dumps(rows) + "\n")
