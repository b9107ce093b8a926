"""MPNet: relative biases that all blocks share, positions from the ids; an odd one with rows that no distance has."""
import contextlib
import math
from unittest import mock

import torch
from transformers.models.mpnet import modeling_mpnet

from bert import SIZES
from encoder import PREFIX, Encoder, write


@contextlib.contextmanager
def prefixed(base, prefixes):
    """Blocks attend to prefixes [prefix, heads, headDim] in front (arXiv 2110.07602), which stand at the places before the first token."""
    if prefixes is None:
        yield
        return
    given = iter(prefixes)

    def attend(self, hidden_states, attention_mask=None, position_bias=None, **_):
        batch, length = hidden_states.shape[:2]
        q, k, v = [layer(hidden_states).view(batch, length, self.num_attention_heads, -1).transpose(1, 2) for layer in (self.q, self.k, self.v)]
        before = [part.transpose(0, 1).expand(batch, -1, -1, -1) for part in next(given)]
        k, v = torch.cat([before[0], k], 2), torch.cat([before[1], v], 2)
        distances = torch.arange(-PREFIX, length)[None, :] - torch.arange(length)[:, None]
        buckets = base.encoder.relative_position_bucket(distances)
        bias = base.encoder.relative_attention_bias(buckets).permute(2, 0, 1)[None]
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.attention_head_size) + bias
        if attention_mask is not None:
            scores = scores + torch.nn.functional.pad(attention_mask, (PREFIX, 0))
        return (self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)),)

    with mock.patch.object(modeling_mpnet.MPNetSelfAttention, "forward", attend):
        yield
    assert next(given, None) is None


FAMILY = Encoder(blocks="encoder.layer", prefixed=prefixed, options={},
                 modules=["attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "intermediate.dense", "output.dense"])
MODELS = {
    "mpnet": dict(init=dict(model_type="mpnet", **SIZES)),
    "mpnet-odd": dict(init=dict(model_type="mpnet", relative_attention_num_buckets=40, hidden_act="relu", layer_norm_eps=1e-5,
                                tie_word_embeddings=False, **SIZES)),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 340)
