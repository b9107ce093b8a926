"""Token ids of texts cut as llama.cpp cuts them: test/reference/gguf/pre-tokenizers.json; and a tokenizer with named chat templates.

The expressions are those of src/llama-vocab.cpp (llm_tokenizer_bpe), each applied to the parts that the one before it leaves; the
`tokenizers` package runs them. One vocabulary is trained on whole texts, so that its merges cross every border: each cut shows in the ids.
"""
import json

import gguf
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from common import REFERENCE

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
CASED = (
    "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5 3F7-481 "
    "48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 "
    "1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 "
    "1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B "
    "2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A "
    "10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943"
)
LETTERS = "".join("-".join(chr(int(end, 16)) for end in run.split("-")) for run in CASED.split())
CJK = "[一-龥ࠀ-一가-퟿]+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK3 = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

EXPRESSIONS = {
    **dict.fromkeys(["mpt", "olmo"], [GPT2]),
    **dict.fromkeys(["starcoder", "refact", "command-r", "smollm"], [r"\p{N}", GPT2]),
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    **dict.fromkeys(["qwen2", "deepseek-r1-qwen", "stablelm2"], [LLAMA3.replace("{1,3}", "")]),
    **dict.fromkeys(["llama-bpe", "llama3", "falcon3", "pixtral"], [LLAMA3]),
    "deepseek-llm": ["[\r\n]", rf"\s?[{LETTERS}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", CJK, r"\p{N}+"],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3],
}
TEXTS = [
    "The quick brown fox doesn't jump over 12 lazy dogs; it's 3:45 pm, WE'LL see 1234567 of them.",
    "def main(x):\n\treturn {\"a\": [1, 22, 333, 4444]}  # ok -> $5 + 3 <= ~9 | `code`\r\n\r\n   end  ",
    "Der Fluß fließt größer. Ὀδυσσεύς ΑΣ быстрая лиса Ⴀ ა ℂ ⱥ 𐐀 ﬁ ⅷ ½ ³ ١٢٣٤",
    "快速的棕色狐狸，跳过了。速い茶色の狐がカタカナ、です！ 빠른 갈색 여우 ‘x’ “y” 　z ～ ：１２",
    "तेज़ भूरी लोमड़ी สุนัขจิ้งจอก עברית العربية e\u0301 😀👩‍👧 ©®™ €£ _a-b.c/d\\e^f",
    "  a   b\t\tc \u00a0d\u2028e\n\n\n f  \n g  ",
]

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
trainer = trainers.BpeTrainer(vocab_size=760, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=12)
tokenizer.train_from_iterator(TEXTS * 3, trainer)
model = json.loads(tokenizer.to_str())["model"]
merges = [" ".join(merge) for merge in model["merges"]]
tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]


def ids_of(name, expressions):
    cut = Tokenizer(models.BPE(model["vocab"], [tuple(merge.split(" ")) for merge in merges], ignore_merges=name in ("llama-bpe", "llama3", "falcon3", "pixtral")))
    steps = [pre_tokenizers.Split(Regex(each), "isolated") for each in expressions]
    cut.pre_tokenizer = pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return [cut.encode(text, add_special_tokens=False).ids for text in TEXTS]


ids = {name: ids_of(name, expressions) for name, expressions in EXPRESSIONS.items()}
# names whose texts are cut alike have the same ids
alike = {name: next(other for other in ids if ids[other] == found) for name, found in ids.items()}
written = {name: found if alike[name] == name else alike[name] for name, found in ids.items()}
out = {"tokens": tokens, "merges": merges, "texts": TEXTS, "ids": written}
(REFERENCE / "gguf" / "pre-tokenizers.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
print({name: found if isinstance(found, str) else sum(map(len, found)) for name, found in written.items()}, len(tokens))

writer = gguf.GGUFWriter(REFERENCE / "gguf" / "templates.gguf", "llama")
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("deepseek-v3")
writer.add_token_list([*tokens[:256], "ab"])
writer.add_token_merges(["a b"])
writer.add_chat_template([
    {"name": "default", "template": "{{ messages[0].content }}"},
    {"name": "tool_use", "template": "TOOLS {{ tools|length }}"},
])
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
