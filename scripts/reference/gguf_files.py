"""Small GGUF files with what gguf-py and transformers read from them: test/reference/gguf/.

  blocks.gguf   a llama of one block; every quantization that is decoded is used by some tensor; byte-level BPE tokenizer
  pieces.gguf   a gemma3 without weights: a SentencePiece BPE tokenizer
  expected.json sha256 of every tensor in float32 under Hugging Face's names, token ids of some texts
"""
import hashlib
import json

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import REFERENCE

OUT = REFERENCE / "gguf"
OUT.mkdir(exist_ok=True)
HIDDEN, HEADS, KV_HEADS, MLP, VOCAB = 256, 4, 1, 256, 300
random = np.random.default_rng(5)
TEXTS = ["the swarm hosts blocks", "Blocks  of a model,\n\tand more…", "naïve 日本 😀 x", ""]


def random_blocks(rows, columns, kind):
    """Blocks of a K quantization: random bytes, but scales that are ordinary numbers."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, (rows, columns // elements, size), dtype=np.uint8)
    scales = random.uniform(0.0001, 0.002, (rows, columns // elements, 2)).astype(np.float16).view(np.uint8)
    at = 208 if kind == Q.Q6_K else 0
    data[..., at:at + 2] = scales[..., :2]
    if kind != Q.Q6_K:
        data[..., 2:4] = scales[..., 2:]
    return data.reshape(rows, -1)


def add(writer, name, shape, kind):
    values = (random.standard_normal(shape) * 0.1).astype(np.float32)
    if kind == Q.F32:
        writer.add_tensor(name, values)
    elif kind == Q.F16:
        writer.add_tensor(name, values.astype(np.float16))
    elif kind in (Q.Q4_K, Q.Q5_K, Q.Q6_K):
        writer.add_tensor(name, random_blocks(*shape, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=["<s>", "</s>"],
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tokenizer.train_from_iterator([" the blocks of a model in the swarm and more of them, hosts"] * 9, trainer)
model = json.loads(tokenizer.to_str())["model"]
tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
tokens += [f"<unused{index}>" for index in range(VOCAB - len(tokens))]

writer = gguf.GGUFWriter(OUT / "blocks.gguf", "llama")
writer.add_context_length(128)
writer.add_embedding_length(HIDDEN)
writer.add_block_count(1)
writer.add_feed_forward_length(MLP)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KV_HEADS)
writer.add_rope_dimension_count(HIDDEN // HEADS)
writer.add_rope_freq_base(10000.0)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_vocab_size(VOCAB)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("default")
writer.add_token_list(tokens)
writer.add_token_types([3, 3] + [1] * (VOCAB - 2))
writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
writer.add_bos_token_id(0)
writer.add_eos_token_id(1)
writer.add_add_bos_token(True)
writer.add_chat_template("{{ messages }}")
add(writer, "token_embd.weight", (VOCAB, HIDDEN), Q.Q5_1)
add(writer, "output.weight", (VOCAB, HIDDEN), Q.F16)
add(writer, "output_norm.weight", (HIDDEN,), Q.F32)
add(writer, "blk.0.attn_norm.weight", (HIDDEN,), Q.F32)
add(writer, "blk.0.ffn_norm.weight", (HIDDEN,), Q.F32)
add(writer, "blk.0.attn_q.weight", (HIDDEN, HIDDEN), Q.Q4_K)
add(writer, "blk.0.attn_k.weight", (HIDDEN // HEADS, HIDDEN), Q.Q4_0)
add(writer, "blk.0.attn_v.weight", (HIDDEN // HEADS, HIDDEN), Q.Q8_0)
add(writer, "blk.0.attn_output.weight", (HIDDEN, HIDDEN), Q.Q5_K)
add(writer, "blk.0.ffn_gate.weight", (MLP, HIDDEN), Q.Q6_K)
add(writer, "blk.0.ffn_up.weight", (MLP, HIDDEN), Q.Q5_0)
add(writer, "blk.0.ffn_down.weight", (HIDDEN, MLP), Q.Q4_1)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<turn>"] + [f"<0x{byte:02X}>" for byte in range(256)]
types = [3, 3, 3, 2, 4] + [6] * 256
words = ["th", "▁th", "the", "▁the", "▁s", "ar", "warm", "wa", "rm", "▁swarm", "▁swar", "ho", "sts", "st", "▁b", "lo", "ck", "cks",
         "▁blocks", "bloc", "bl", "oc", "▁▁", "▁▁▁", "mo", "de", "del", "model", "▁model"]
letters = sorted(set("".join(words)) | set("abcdefghijklmnopqrstuvwxyzB,.▁"))
pieces += words + letters
types += [1] * (len(words) + len(letters))
writer = gguf.GGUFWriter(OUT / "pieces.gguf", "gemma3")
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list(pieces)
writer.add_token_scores([-1000.0] * 261 + [-float(index) for index in range(len(words) + len(letters))])
writer.add_token_types(types)
writer.add_bos_token_id(2)
writer.add_eos_token_id(1)
writer.add_unk_token_id(3)
writer.add_pad_token_id(0)
writer.add_add_bos_token(True)
writer.add_add_space_prefix(False)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

weights = AutoModelForCausalLM.from_pretrained(OUT, gguf_file="blocks.gguf", dtype=torch.float32)
expected = {
    "tensors": {name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
                for name, value in weights.state_dict().items()},
    "texts": TEXTS,
}
for name in ("blocks", "pieces"):
    found = AutoTokenizer.from_pretrained(OUT, gguf_file=f"{name}.gguf")
    expected[name] = [found(text, add_special_tokens=True).input_ids for text in TEXTS]
(OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
