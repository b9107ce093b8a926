"""Conversations as transformers renders them -> test/reference/chat.json.

Templates of the shapes that models come with, written for this: their control words and Jinja are what those models use.
"""
import json

from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from common import REFERENCE, TINY

CHATML = """{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

LLAMA3 = """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}"""

LLAMA31 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

GEMMA = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("roles must alternate") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
    {%- if message["role"] == "user" %}
        {%- if loop.first and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- else %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
"""

# Thoughts of earlier turns are left out, the last turn has some even where it had none.
QWEN3 = """{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and not ns.found %}
        {%- set ns.last = index %}
        {%- set ns.found = true %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

MARKED = """{{ bos_token }}
{% for message in messages %}
    {% if message.role == 'assistant' %}
<|assistant|>
        {% generation %}
{{ message.content }}{{ eos_token }}
        {% endgeneration %}

    {% else %}
<|{{ message.role }}|>
{{ message.content }}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>
{% endif %}
"""

MARKED_TIGHT = """{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.role == 'assistant' -%}
        {%- generation -%}
        {%- set said = message.content | trim -%}
        {{- said + '<|im_end|>' -}}
        {%- endgeneration -%}
    {%- else -%}
        {{- message.content + '<|im_end|>' -}}
    {%- endif -%}
    {{- '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""

TEMPLATES = {
    "chatml": CHATML,
    "llama3": LLAMA3,
    "llama31": LLAMA31,
    "gemma": GEMMA,
    "mistral": MISTRAL,
    "qwen3": QWEN3,
    "marked": MARKED,
    "marked-tight": MARKED_TIGHT,
}

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}

user = lambda text: {"role": "user", "content": text}
said = lambda text: {"role": "assistant", "content": text}
system = lambda text: {"role": "system", "content": text}

CONVERSATIONS = {
    "question": [user("What is 1 + 1?")],
    "turns": [user("Hi"), said("Hello."), user("  Who are you, 😀?\n"), said(" A model, 👍🏽 \n"), user("Bye")],
    "system": [system("Be terse."), user("2 + 2?"), said("4"), user("“Quotes” & <tags>?"), said('"é\\n"')],
    "answered": [user("One\n\ntwo"), said("three\n  four")],
}

MORE = [
    ("llama31", "tools", [user("Weather in Zürich?"), {"role": "assistant", "content": None, "tool_calls": [
        {"function": {"name": "weather", "arguments": {"city": "Zürich", "days": 2, "units": ["C", None], "x": 1.5}}}]},
        {"role": "tool", "content": {"sky": "clear", "wind": True}}], {"tools": [{"name": "weather"}]}),
    ("gemma", "parts", [{"role": "system", "content": [{"type": "text", "text": "Brief."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " what? "}]}], {}),
    ("qwen3", "thoughts", [user("1?"), said("<think>\nhm\n</think>\n\none"), user("2?"), said("<think>\nah\n</think>\n\ntwo")], {}),
    ("qwen3", "no thinking", [user("1?")], {"enable_thinking": False}),
    ("llama31", "date", [user("?")], {"date_string": "1 Jan 2030"}),
]


def utf16(text, index):
    return len(text[:index].encode("utf-16-le")) // 2


def main():
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    cases = []
    wanted = [(t, c, m, {}) for t in TEMPLATES for c, m in CONVERSATIONS.items()] + MORE
    for template, conversation, messages, variables in wanted:
        source = TEMPLATES[template]
        for prompt in (False, True):
            text = tokenizer.apply_chat_template(
                messages, chat_template=source, tokenize=False, add_generation_prompt=prompt, **SPECIAL, **variables)
            case = {"template": template, "conversation": conversation, "messages": messages, "variables": variables,
                    "addGenerationPrompt": prompt, "text": text}
            if template.startswith("marked") and not prompt:
                (rendered,), (ranges,) = render_jinja_template(
                    [messages], chat_template=source, return_assistant_tokens_mask=True, **SPECIAL, **variables)
                assert rendered == text
                case["assistant"] = [[utf16(text, start), utf16(text, end)] for start, end in ranges]
            cases.append(case)
    file = {"specialTokens": SPECIAL, "templates": TEMPLATES, "cases": cases}
    (REFERENCE / "chat.json").write_text(json.dumps(file, ensure_ascii=True, indent=1) + "\n")


if __name__ == "__main__":
    main()
