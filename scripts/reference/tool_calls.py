"""How chat templates write calls of tools, and what transformers reads from that -> test/reference/tool-calls.json.gz.

The templates are those of templates.json.gz (which may be copied) and of TRL, whose texts are not stored: only the turn that each writes of made-up
calls. What was called is known; beside it stands what transformers' `parse_response` reads, where TRL has rules for the template.
"""
import gzip
import io
import json

import trl.chat_template_utils as trl_templates
import transformers.utils.chat_template_utils as chat_templates
from pathlib import Path
from transformers.utils.chat_parsing import parse_response

from common import REFERENCE

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a place",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name"},
                    "days": {"type": "integer", "description": "How many"},
                    "limit": {"type": "number", "description": "At most"},
                    "metric": {"type": "boolean", "description": "Units"},
                    "tags": {"type": "array", "description": "Tags", "items": {"type": "string"}},
                    "where": {"type": "object", "description": "Place", "properties": {"lat": {"type": "number"}}},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {"zone": {"type": "string", "description": "Zone"}}}},
    },
]

CALLS = {
    "plain": [["get_weather", {"city": "Rome", "days": 3}]],
    "two": [["get_weather", {"city": "São Tomé", "metric": True}], ["now", {"zone": "UTC"}]],
    "quotes": [["get_weather", {"city": "a \"b\" {c} [d] \\ 'e' </x> 😀 日本", "days": 0}]],
    "lines": [["get_weather", {"city": "first\n  second\n\nlast", "limit": -2.5}]],
    "nested": [["get_weather", {"city": "x", "tags": ["a", "b, c", "{d}"], "where": {"lat": 41.5, "in": {"deep": [1, {"er": "}"}]}}}]],
    "none": [["now", {}]],
}

RULES = {
    "glm4moe_template": ["glm4moe"],
    "llama3_template": ["llama3_1", "llama3_2"],
    "qwen3_template": ["qwen2_5", "qwen3", "qwen3_instruct_2507", "qwen3_vl"],
    "qwen3_5_template": ["qwen3_5_nothink", "qwen3_5_think", "qwen3_6", "qwen3_8"],
    "nemotron_3_template": ["nemotron_3_nano", "nemotron_3_super", "nemotron_3_ultra", "nemotron_3_5_lightning"],
    "lfm2_2_5_template": ["lfm2_v2", "lfm2_2_5", "lfm2_2_5_v2", "lfm2_2_5_vl"],
    "gemma4_template": ["gemma4", "gemma4_v2", "gemma4_v3", "gemma4_v4", "gemma4_v5"],
}
RULES_OF = {name: rules for rules, names in RULES.items() for name in names}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def render(source, messages, add_generation_prompt):
    texts, _ = chat_templates.render_jinja_template(
        conversations=[messages], tools=TOOLS, chat_template=source, add_generation_prompt=add_generation_prompt, **SPECIAL
    )
    return texts[0]


def call(index, name, arguments, as_text):
    written = json.dumps(arguments, ensure_ascii=False) if as_text else arguments
    return {"id": f"abcde123{index}", "type": "function", "function": {"name": name, "arguments": written}}


def turn(source, calls):
    """What the template writes after its generation prompt ('' where it writes another one then); None where it writes no calls."""
    user = {"role": "user", "content": "What is it like?"}
    prompt = render(source, [user], True)
    for content in ("I look.", "", None):
        for as_text in (False, True):
            made = [call(index, name, arguments, as_text) for index, (name, arguments) in enumerate(calls)]
            try:
                whole = render(source, [user, {"role": "assistant", "content": content, "tool_calls": made}], False)
            except Exception:
                continue
            follows = whole.startswith(prompt)
            start = len(prompt) if follows else whole.rindex("What is it like?") + len("What is it like?")
            written = whole[start:]
            if all(name in written for name, _ in calls):
                return (prompt if follows else ""), written
    return None


def read(rules, prompt, written):
    try:
        message = parse_response(written, getattr(trl_templates, rules), prefix=prompt, tools=TOOLS)
        return [[made["function"]["name"], made["function"]["arguments"]] for made in message.get("tool_calls", [])]
    except Exception as error:
        return {"error": type(error).__name__}


own = json.loads(gzip.decompress((REFERENCE / "templates.json.gz").read_bytes()))["templates"]
folder = Path(trl_templates.__file__).parent / "chat_templates"
theirs = {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja")) if not path.stem.endswith("_training")}

cases = []
for name, source in [*own.items(), *theirs.items()]:
    for kind, calls in CALLS.items():
        try:
            found = turn(source, calls)
        except Exception:
            found = None
        if found is None:
            continue
        prompt, written = found
        rules = RULES_OF.get(name)
        cases.append({
            "template": name,
            "kind": kind,
            "written": written,
            "begins": prompt[-40:],
            **({"read": read(rules, prompt, written)} if rules else {}),
        })

document = {"tools": TOOLS, "calls": CALLS, "cases": cases}
buffer = io.BytesIO()
with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
    file.write(json.dumps(document, ensure_ascii=False).encode())
(REFERENCE / "tool-calls.json.gz").write_bytes(buffer.getvalue())
print(len(cases), "turns of", len({case["template"] for case in cases}), "templates,", len(buffer.getvalue()), "bytes")
