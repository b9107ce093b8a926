"""BART, with layers of different widths in its stacks; mBART, which norms before its layers and scales embeddings."""
from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification
from transformers.models.bart import modeling_bart
from transformers.models.mbart import modeling_mbart

from stacks import Stacks, write

SIZES = dict(d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=40, decoder_ffn_dim=48,
             max_position_embeddings=48, vocab_size=67)


def stacks(modeling):
    family = Stacks(encoder="model.encoder", decoder="model.decoder", blocks="layers", modules=["k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2"],
                    modeling=modeling, norms=("norm",), is_self_attention=lambda path: path.endswith("self_attn"),
                    tasks={"SEQ_CLS": AutoModelForSequenceClassification, "QUESTION_ANS": AutoModelForQuestionAnswering})
    family.states = lambda model, task: model.model.decoder
    return family


if __name__ == "__main__":
    write({"bart": dict(init=dict(model_type="bart", activation_function="gelu", **SIZES))}, stacks(modeling_bart), 7200)
    write({"mbart": dict(init=dict(model_type="mbart", scale_embedding=True, activation_function="relu", decoder_start_token_id=5,
                                   **SIZES | dict(d_model=40, decoder_layers=1)), untied=True)}, stacks(modeling_mbart), 7210)
