"""RoBERTa and XLM-RoBERTa: positions from the ids, behind the row of padding; an odd one with another padding token and types."""
from transformers.models.roberta import modeling_roberta
from transformers.models.xlm_roberta import modeling_xlm_roberta

from bert import MODULES, SIZES, prefixed_by
from encoder import Encoder, write

if __name__ == "__main__":
    for seed, (name, modeling, init) in enumerate([
            ("roberta", modeling_roberta, dict(model_type="roberta", type_vocab_size=1)),
            ("roberta-odd", modeling_roberta, dict(model_type="roberta", type_vocab_size=2, pad_token_id=4, hidden_act="gelu_new",
                                                   layer_norm_eps=1e-5, tie_word_embeddings=False)),
            ("xlm-roberta", modeling_xlm_roberta, dict(model_type="xlm-roberta", type_vocab_size=1))], 310):
        family = Encoder(blocks="encoder.layer", modules=MODULES, prefixed=prefixed_by(modeling))
        write({name: dict(init=SIZES | init)}, family, seed)
