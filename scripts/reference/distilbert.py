"""DistilBERT: no token types, no pooler; an odd one with fixed positions, another activation and a head of its own."""
from transformers.models.distilbert import modeling_distilbert

from bert import prefixed_by
from encoder import Encoder, write

FAMILY = Encoder(blocks="transformer.layer", prefixed=prefixed_by(modeling_distilbert),
                 modules=["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "ffn.lin1", "ffn.lin2"])
SIZES = dict(model_type="distilbert", dim=32, n_heads=4, n_layers=2, hidden_dim=48, max_position_embeddings=48, vocab_size=67)
MODELS = {
    "distilbert": dict(init=SIZES),
    "distilbert-odd": dict(init=SIZES | dict(sinusoidal_pos_embds=True, activation="relu", tie_word_embeddings=False, n_heads=8)),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 330)
