"""ELECTRA: embeddings narrower than hidden states; an odd one whose generator has a head of its own."""
from transformers.models.electra import modeling_electra

from bert import MODULES, SIZES, prefixed_by
from encoder import Encoder, write

FAMILY = Encoder(blocks="encoder.layer", modules=MODULES, prefixed=prefixed_by(modeling_electra))
MODELS = {
    "electra": dict(init=dict(model_type="electra", embedding_size=24, **SIZES)),
    "electra-odd": dict(init=dict(model_type="electra", embedding_size=32, hidden_act="relu", tie_word_embeddings=False,
                                  pad_token_id=2, **SIZES)),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 320)
