"""Python's regular expressions over names of modules, matched whole as PEFT does -> test/reference/patterns.json: pattern -> the names
that match, null where Python refuses the pattern."""
import json
import re

from common import REFERENCE

NAMES = [f"model.layers.{block}.{module}" for block in (0, 3, 11) for module in
         ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj", "mlp.Up_Proj")] + \
    ["lm_head", "Z", "a", "]x", "transformer.h.0.attn.c_attn", "model.layers.0.self_attn.q_proj.q_proj", "aa", "aaa", "x{,2}", "model layers"]
PATTERNS = [
    "(?i).*Q_PROJ", "(?i:.*UP_proj)", ".*(?P<module>q|v)_proj", r".*\.(?P<last>q_proj)\.(?P=last)", r"\A.*q_proj\Z", "(?x) .* \\. q_proj # the query",
    "(?s).*_proj", "(?si).*UP_PROJ", "(?#queries).*q_proj", r".*\.\d{,1}\..*", "a{,2}", "a{2,}", "a{1,2}", "x{,2}", "[]x]+", "[^]]+", "[]a]{1}x?",
    r".*layers\.(0|3)\..*(q|v)_proj", "(?:.*?(?:self_attn|mlp).*?(?:down|q)_proj.*?)", r"model\.layers\.(?!0\.)\d+\..*", r"(?<!x).*c_attn", r"Z",
    r"\Z", r".*\Z", "model[ ]layers", "(?x)model[ ]layers", r"\w+\ \w+", "lm_head|.*down_proj", "(?i)LM_head", "a+?", "a*?a", r"(a)\1", "q_proj", "",
    "(?u).*q_proj", "(?a).*q_proj", ".*(?i)q_proj", r"\q", "(", "[a", "a{2,1}", "(?P<x>a)(?P<x>a)",
]
# taken by Python, refused here by name
UNSUPPORTED = ["(?>a+)a", "a++", "a*+a", "(a)?(?(1)a|b)", "a{1,2}+"]


def matches(pattern):
    try:
        return [name for name in NAMES if re.fullmatch(pattern, name)]
    except re.error:
        return None


found = {pattern: matches(pattern) for pattern in PATTERNS}
for pattern in UNSUPPORTED:
    re.compile(pattern)
(REFERENCE / "patterns.json").write_text(json.dumps({"names": NAMES, "patterns": found, "unsupported": UNSUPPORTED}) + "\n")
