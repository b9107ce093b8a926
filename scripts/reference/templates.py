"""What jinja2 makes of snippets and of real chat templates -> test/reference/templates.json.gz.

jinja_snippets.txt has one snippet a line, written with ⏎ for a line end. The real templates are those of llama.cpp's sources (models/templates of the
package llama-cpp-python) and of TRL: give the first folder as argument. All are rendered as transformers renders them, with its own sandbox.
Templates of models with a licence that lets anybody copy them (Apache-2.0, MIT) are stored; with --all FILE, all templates are written to
FILE, for a check by hand: node scripts/reference/check-templates.ts FILE.
"""
import datetime
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path

import transformers.utils.chat_template_utils as chat_templates

from common import REFERENCE

HERE = Path(__file__).parent


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 15, 4, 5)


chat_templates.datetime = Clock

# as text, since JavaScript's numbers forget what was written as 41.0
CONTEXT = """{"n": 5, "f": 2.5, "big": 12345678901234567890, "s": "Hello World", "t": "  pad  ", "emoji": "a😀b", "lines": "a\\nb\\r\\nc\\n",
"l": [3, 1, 2], "d": {"b": 1, "a": 2, "keys": "K"}, "nested": {"x": {"y": [1, {"z": null}]}},
"people": [{"name": "Ann", "age": 3, "city": "Rome"}, {"name": "bob", "age": 5, "city": "Oslo"}, {"name": "Cid", "age": 4, "city": "Rome"}],
"html": "<a href=\\"x\\">&'</a>",
"args": {"city": "Rome", "unit": null, "lat": 41.0, "n": 7, "zip": 12345678901234567890, "tiny": 1e-7, "huge": 1E20, "neg": -0.0, "e": 1e2, "x": [1.0, {"10": 1, "9": 2.50}], "2": "two", "1": "one"},
"messages": [{"role": "user", "content": "Hi\\n<think>\\nthere</think>\\n\\nyou"}, {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]}, {"role": "user", "content": "Bye"}]}"""

TOOLS = """[{"type": "function", "function": {"name": "get_weather", "description": "Weather <b>now</b> & \\"later\\"", "parameters": {"type": "object", "properties": {
"city": {"type": "string", "description": "Città"}, "lat": {"type": "number", "minimum": -90.0, "maximum": 90.5, "default": null}, "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
"tags": {"type": "array", "items": {"type": "string"}}, "where": {"type": "object", "properties": {"10": {"type": "integer"}, "2": {"type": "boolean"}}}},
"required": ["city"]}, "return": {"type": "string"}}}, {"type": "function", "function": {"name": "now", "description": "Time", "parameters": {"type": "object", "properties": {}}}}]"""

CALL = """{"id": "abcde1234", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Rome", "unit": null, "lat": 41.0, "ok": true, "tags": ["a", 1e3], "where": {"10": 1, "2": false}}}}"""

CONVERSATIONS = {
    "plain": """{"messages": [{"role": "user", "content": "Hi"}]}""",
    "answer": """{"messages": [{"role": "user", "content": "  Hi\\n"}, {"role": "assistant", "content": "    return 1.  \\n"}]}""",
    "system": """{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Tchüß 😀"}]}""",
    "thoughts": """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "<think>\\nhm\\n</think>\\n\\nHello"}, {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "<think>ok</think>Bye"}]}""",
    "reasoning": """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "reasoning_content": "hm", "content": "Hello"}, {"role": "user", "content": "Bye"}, {"role": "assistant", "thinking": "ok", "content": "Bye", "tool_calls": null}]}""",
    "tools": """{"messages": [{"role": "user", "content": "Weather?"}], "tools": %s}""" % TOOLS,
    "called": """{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "tool_calls": [%s]}, {"role": "tool", "tool_call_id": "abcde1234", "name": "get_weather", "content": "{\\"t\\": 20.0}"}, {"role": "assistant", "content": "20"}], "tools": %s}""" % (CALL, TOOLS),
    "called, empty": """{"messages": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [%s, %s]}, {"role": "tool", "tool_call_id": "abcde1234", "name": "get_weather", "content": "20"}, {"role": "tool", "tool_call_id": "abcde1235", "name": "now", "content": "12"}], "tools": %s}""" % (CALL, CALL.replace("1234", "1235").replace("get_weather", "now"), TOOLS),
    "parts": """{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]}, {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]}]}""",
    "images": """{"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]}""",
    "number": """{"messages": [{"role": "user", "content": 5}]}""",
    "two users": """{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}""",
    "thinking off": """{"messages": [{"role": "user", "content": "Hi"}], "enable_thinking": false, "thinking": false, "reasoning_effort": "low"}""",
    "developer": """{"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "documents": [{"title": "T", "text": "x"}]}""",
}

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

# licence of the model in whose repository the template is: Apache-2.0 or MIT
FREE = """ByteDance-Seed-OSS GLM-4.6 GLM-4.7-Flash GigaChat3-10B-A1.8B HuggingFaceTB-SmolLM3-3B MiMo-VL MiniMax-M1 Mistral-Small-3.2-24B-Instruct-2506
Qwen-QwQ-32B Qwen-Qwen2.5-7B-Instruct Qwen-Qwen3-0.6B Qwen3-Coder Qwen3.5-4B deepseek-ai-DeepSeek-R1-Distill-Qwen-32B deepseek-ai-DeepSeek-V3.1
ibm-granite-granite-3.3-2B-Instruct ibm-granite-granite-4.0 llama-cpp-rwkv-world meetkai-functionary-medium-v3.2 microsoft-Phi-3.5-mini-instruct
mistralai-Ministral-3-14B-Reasoning-2512 mistralai-Mistral-Nemo-Instruct-2407 openai-gpt-oss-120b openbmb-MiniCPM5-1B unsloth-mistral-Devstral-Small-2507""".split()
FREE_TRL = """qwen2_5_training qwen3 qwen3_training gptoss_training phi3_training glm4moe_training deepseekv3_training smolvlm_training qwen3_5_think_training""".split()


def rendered(source, variables):
    """["text"] or ["text", [[start, end], …]] with what {% generation %} marks; or {"error": kind}."""
    marks = "generation" in source
    try:
        texts, indices = chat_templates.render_jinja_template(chat_template=source, return_assistant_tokens_mask=marks, **variables)
        return [texts[0], indices[0]] if marks and indices[0] else [texts[0]]
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def conversation(text, add_generation_prompt):
    fields = json.loads(text)
    messages = chat_templates._normalize_chat_messages(fields.pop("messages"))
    return {"conversations": [messages], "add_generation_prompt": add_generation_prompt, **SPECIAL, **fields}


def snippets():
    cases = []
    for line in (HERE / "jinja_snippets.txt").read_text().split("\n"):
        source = line.replace("⏎", "\n")
        if line == "":
            continue
        context = json.loads(CONTEXT)
        try:
            result = chat_templates._compile_jinja_template(source).render(**context)
            if " at 0x" in result:
                result = {"unstable": True}
        except Exception as error:
            result = {"error": type(error).__name__, "message": str(error)}
        cases.append([source, result])
    return cases


def real(folder):
    import trl

    found = {path.stem: path.read_text() for path in sorted(Path(folder).glob("*.jinja"))}
    trls = {path.stem: path.read_text() for path in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))}
    stored = {name: found[name] for name in FREE} | {f"trl {name}": trls[name] for name in FREE_TRL}
    return stored, found | {f"trl {name}": source for name, source in trls.items()}


def cases(templates, whole):
    found = []
    for name, source in templates.items():
        for kind, text in CONVERSATIONS.items():
            for prompt in (False, True):
                result = rendered(source, conversation(text, prompt))
                if isinstance(result, list) and not whole:
                    result[0] = hashlib.sha256(result[0].encode()).hexdigest()[:12]
                elif isinstance(result, dict):
                    # the reasons of raise_exception are compared; words of Python's own errors are not ours
                    result = {"raised": result["message"]} if result["error"] == "TemplateError" else {"error": result["error"]}
                found.append([name, kind, prompt, result])
    return found


stored, everything = real(sys.argv[1])
document = {
    "context": CONTEXT,
    "snippets": snippets(),
    "conversations": CONVERSATIONS,
    "specialTokens": SPECIAL,
    "templates": stored,
    "cases": cases(stored, False),
}
if "--all" in sys.argv:
    Path(sys.argv[sys.argv.index("--all") + 1]).write_text(json.dumps(document | {"templates": everything, "cases": cases(everything, True)}, ensure_ascii=False))
buffer = io.BytesIO()
with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
    file.write(json.dumps(document, ensure_ascii=False).encode())
(REFERENCE / "templates.json.gz").write_bytes(buffer.getvalue())
print(len(document["snippets"]), "snippets,", len(document["cases"]), "conversations,", len(buffer.getvalue()), "bytes")
