"""Token ids and decoded text of Hugging Face's tokenizer for models/tiny -> test/reference/tiny-tokenizer.json."""
import json
import random

from transformers import AutoTokenizer

from common import REFERENCE, TINY

TEXTS = [
    "",
    " ",
    "\n\n\t ",
    "Hello, world!",
    "In the beginning God created the heaven and the earth.",
    "Call me Ishmael. Some years ago—never mind how long precisely—",
    "  leading and   inner  spaces  ",
    "Line one\nLine two\r\nLine three\n",
    "The year 1984, 12345678901234567890 and 3.14159.",
    "don't I'll we've they're it's DON'T I'LL",
    "<|im_start|>user\nHi there<|im_end|>\n<|endoftext|>tail<|pad|>",
    "<|im_start|> <|im_end|><|im_end|>x",
    "<|im_start|",
    "naïve café Zürich, Ελληνικά, русский, עברית, العربية",
    "日本語のテキスト、中文文本，한국어",
    "emoji 😀👍🏽👨‍👩‍👧‍👦🇩🇪 end",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u200b zero width \ufeff bom",
    "combining e\u0301 vs \u00e9",
    "tabs\tand\u00a0no-break\u2003spaces",
    "code: for (let i = 0; i < n; i++) { x[i] += y**2; } // ok?",
    "https://example.org/a/b?c=d&e=%20f#g",
    "ALL CAPS AND MiXeD cAsE",
    "a" * 100,
    "\u0000\u0001\u007f control",
    "\ufffd replacement \ufffd\ufffd",
    "½ ² ³ ① Ⅷ ٣",
    "_under_score_ --- ... !!! ???",
    "word" + " word" * 50,
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    generator = random.Random(0)
    encoded = [
        {
            "text": text,
            "ids": tokenizer.encode(text),
            "plain": tokenizer.encode(text, add_special_tokens=False),
            "decoded": tokenizer.decode(tokenizer.encode(text)),
            "skipped": tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True),
        }
        for text in TEXTS
    ]
    decoded = []
    for _ in range(60):
        ids = [generator.randrange(len(tokenizer)) for _ in range(generator.randrange(1, 24))]
        if generator.random() < 0.5:
            # many single bytes: characters that are cut anywhere
            ids = [generator.choice(ids + list(range(4, 264))) for _ in ids]
        decoded.append({
            "ids": ids,
            "decoded": tokenizer.decode(ids),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True),
        })
    reference = {
        "vocabSize": len(tokenizer),
        "bosTokenId": tokenizer.bos_token_id,
        "eosTokenId": tokenizer.eos_token_id,
        "padTokenId": tokenizer.pad_token_id,
        "encoded": encoded,
        "decoded": decoded,
    }
    (REFERENCE / "tiny-tokenizer.json").write_text(json.dumps(reference, ensure_ascii=True, indent=1) + "\n")


if __name__ == "__main__":
    main()
