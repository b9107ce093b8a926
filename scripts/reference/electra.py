"""ELECTRA: embeddings narrower than hidden states; an odd one whose generator has a head of its own."""
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModel
from transformers.models.electra import modeling_electra

from bert import MODULES, SIZES, prefixed_by
from common import REFERENCE
from encoder import FOLDER, Encoder, load, write

FAMILY = Encoder(blocks="encoder.layer", modules=MODULES, prefixed=prefixed_by(modeling_electra))
MODELS = {
    "electra": dict(init=dict(model_type="electra", embedding_size=24, **SIZES)),
    "electra-odd": dict(init=dict(model_type="electra", embedding_size=32, hidden_act="relu", tie_word_embeddings=False,
                                  pad_token_id=2, **SIZES)),
}

if __name__ == "__main__":
    write(MODELS, FAMILY, 320)
    # PEFT's adapter of every linear module, that from embeddings to hidden states among them
    torch.manual_seed(329)
    folder = REFERENCE / "electra-all-linear"
    peft = get_peft_model(load(AutoModel, FOLDER / "electra", FAMILY), LoraConfig(r=2, target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    peft.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    ids = torch.randint(5, 67, (2, 9))
    save_file(dict(ids=ids, hidden=peft(input_ids=ids).last_hidden_state.detach().contiguous()), folder / "hidden.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
