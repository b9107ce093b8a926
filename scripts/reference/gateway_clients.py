"""What the Python clients of the gateway's dialects send, and what they get -> test/reference/gateway-clients.json.

    pip install openai anthropic ollama
    python scripts/reference/gateway_clients.py [--url http://127.0.0.1:8000] [openai.chat …]

The clients talk to the gateway through a proxy that writes down every request and answer. Without --url the script starts
gateway-server.ts, which serves models/tiny as the tests do. A case is a function with the decorator `case(client)`; what it
returns is what the client understood. Ids, times and durations change with every run: `masked` takes them out.
test/gateway/python-clients.test.ts sends the requests again and expects the same answers; answers may have gained fields.
"""
import argparse
import http.client
import json
import re
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from urllib.parse import urlsplit

from common import REFERENCE, ROOT

OUT = REFERENCE / "gateway-clients.json"
CASES: list[tuple[str, Callable]] = []

# headers that belong to the connection, or to this machine
LEFT_OUT = {"host", "connection", "content-length", "transfer-encoding", "x-stainless-arch", "x-stainless-os"}

IDS = re.compile(r"\b(?:chatcmpl|cmpl|resp|msg|call|fc|rs|toolu|req|embd|file|ftjob|ftevent|ftckpt)[-_][0-9A-Za-z]{8,}|\bft:\w+:\w*:[0-9a-f]{8}")
TIMES = re.compile(r'("(?:created|created_at|completed_at|expires_at|finished_at|estimated_finish|\w+_duration)": ?)(?:[0-9.]+|"[^"]*")')


def case(client: str) -> Callable:
    """Registers a case: it is given the client, and returns what that understood."""

    def register(run: Callable) -> Callable:
        CASES.append((client, run))
        return run

    return register


# --- OpenAI -----------------------------------------------------------------------------------------------------------------

MESSAGES = [{"role": "system", "content": "You tell stories."}, {"role": "user", "content": "It was a dark"}]


def openai_client(url: str):
    from openai import OpenAI

    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@case("openai")
def models(client):
    return [model.id for model in client.models.list()] + [client.models.retrieve("tiny").id]


@case("openai")
def chat(client):
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=0, max_tokens=6)
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "tokens": answer.usage.completion_tokens}


@case("openai")
def chat_stream(client):
    text, usage = "", None
    stream = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        temperature=0,
        max_completion_tokens=6,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    return {"text": text, "tokens": usage.completion_tokens}


@case("openai")
def chat_stream_helper(client):
    with client.chat.completions.stream(model="tiny", messages=MESSAGES, temperature=0, stop="was") as stream:
        for _ in stream:
            pass
        return {"text": stream.get_final_completion().choices[0].message.content}


@case("openai")
def chat_sampled(client):
    answer = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        n=2,
        seed=7,
        temperature=0.8,
        top_p=0.9,
        presence_penalty=0.5,
        frequency_penalty=0.5,
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=2,
        stop=["!!"],
        max_tokens=4,
        user="someone",
        metadata={"run": "1"},
        extra_body={"top_k": 20, "min_p": 0.01},
    )
    return [choice.message.content for choice in answer.choices]


CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Bern", "Basel"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY, "strict": True}}]


@case("openai")
def chat_tools(client):
    asked = {"model": "tiny", "temperature": 0, "max_tokens": 120, "tools": TOOLS}
    answer = client.chat.completions.create(
        messages=MESSAGES, tool_choice={"type": "function", "function": {"name": "weather"}}, **asked
    )
    message = answer.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    after = client.chat.completions.create(
        messages=[*MESSAGES, message, result], tool_choice="none", **{**asked, "max_tokens": 4}
    )
    return [call.function.name, call.function.arguments, after.choices[0].message.content]


@case("openai")
def chat_tools_stream(client):
    with client.chat.completions.stream(
        model="tiny", messages=MESSAGES, temperature=0, max_tokens=120, tools=TOOLS, tool_choice="required", parallel_tool_calls=False
    ) as stream:
        deltas = [event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"]
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    return {"arguments": call.function.parsed_arguments, "same": "".join(deltas) == call.function.arguments}


@case("openai")
def structured(client):
    from typing import Annotated, Literal

    from pydantic import BaseModel, Field

    class Story(BaseModel):
        mood: Literal["dark", "bright"]
        chapters: Annotated[list[Literal[1, 2]], Field(max_length=2)]

    answer = client.chat.completions.parse(model="tiny", messages=MESSAGES, temperature=0, max_tokens=200, response_format=Story)
    response = client.responses.parse(
        model="tiny", input=MESSAGES, temperature=0, max_output_tokens=200, text_format=Story, store=False
    )
    return [answer.choices[0].message.parsed.model_dump(), response.output_parsed.model_dump()]


@case("openai")
def completion(client):
    answer = client.completions.create(model="tiny", prompt=["It was a dark", "Once"], temperature=0, max_tokens=4, logprobs=1)
    return [choice.text for choice in answer.choices]


@case("openai")
def completion_stream(client):
    stream = client.completions.create(model="tiny", prompt="It was a dark", temperature=0, max_tokens=4, stream=True)
    return "".join(choice.text for chunk in stream for choice in chunk.choices)


@case("openai")
def embeddings(client):
    answer = client.embeddings.create(model="tiny", input=["It was a dark", "Once"])
    return [[round(value, 4) for value in one.embedding[:4]] for one in answer.data]


CAPITALS = [("Texas", "Austin"), ("Ohio", "Columbus"), ("Utah", "Salt Lake City"), ("Iowa", "Des Moines")]


@case("openai")
def fine_tuning(client):
    """Uploads, trains, waits at the events, and asks the new model."""
    rows = [{"prompt": f"The capital of {state} is", "completion": f" {city}."} for state, city in CAPITALS]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    file = client.files.create(file=("capitals.jsonl", data), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=file.id,
        suffix="python",
        seed=7,
        metadata={"by": "python"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 2}}},
        extra_body={"swarmtune": {"peft": {"peft_type": "LORA", "r": 2}, "save_steps": 1}},
    )
    with client.fine_tuning.jobs.with_streaming_response.list_events(job.id, extra_query={"stream": "true"}) as events:
        assert events.text().endswith("data: [DONE]\n\n")
    job = client.fine_tuning.jobs.retrieve(job.id)
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id)
    events = client.fine_tuning.jobs.list_events(job.id, limit=2)
    answer = client.completions.create(model=job.fine_tuned_model, prompt="The capital of Ohio is", max_tokens=3, temperature=0)
    told = {
        "status": job.status,
        "hyperparameters": job.method.supervised.hyperparameters.to_dict(),
        "tokens": job.trained_tokens,
        "results": [client.files.retrieve(name).filename for name in job.result_files],
        "checkpoints": [one.step_number for one in checkpoints.data],
        "events": [event.message.split(":")[0] for event in events.data],
        "jobs": len(client.fine_tuning.jobs.list(limit=1).data),
        "content": client.files.content(file.id).text == data.decode(),
        "text": answer.choices[0].text,
        "deleted": client.models.delete(job.fine_tuned_model).deleted,
    }
    client.files.delete(file.id)
    return {**told, "files": len(client.files.list(purpose="fine-tune").data)}


@case("openai")
def responses(client):
    first = client.responses.create(
        model="tiny", input="It was a dark", instructions="You tell stories.", temperature=0, max_output_tokens=4
    )
    second = client.responses.create(
        model="tiny", input="Go on", previous_response_id=first.id, temperature=0, max_output_tokens=4
    )
    items = client.responses.input_items.list(second.id)
    told = [first.output_text, second.output_text, [item.content[0].text for item in items]]
    told.append(client.responses.retrieve(second.id).output_text)
    client.responses.delete(second.id)
    return told


@case("openai")
def responses_stream(client):
    with client.responses.stream(
        model="tiny",
        input=[{"role": "user", "content": "It was a dark"}],
        temperature=0,
        max_output_tokens=4,
        store=False,
        include=["message.output_text.logprobs"],
        top_logprobs=1,
    ) as stream:
        events = [event.type for event in stream]
    return {"events": events, "numbers": len(events)}


@case("openai")
def errors(client):
    from openai import BadRequestError, NotFoundError

    told = []
    for fields in ({"model": "none"}, {"audio": {"voice": "ash", "format": "wav"}}, {"temperature": 3}):
        try:
            client.chat.completions.create(**{"model": "tiny", "messages": MESSAGES, **fields})
        except (BadRequestError, NotFoundError) as error:
            told.append([type(error).__name__, error.code, error.param])
    return told


# --- Anthropic --------------------------------------------------------------------------------------------------------------

TURNS = [{"role": "user", "content": "It was a dark"}]
WEATHER = {
    "name": "weather",
    "description": "Tells the weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


# the client has no argument for it
GREEDY_BODY = {"temperature": 0}


def anthropic_client(url: str):
    from anthropic import Anthropic

    return Anthropic(base_url=url, api_key="none", max_retries=0)


def said(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@case("anthropic")
def anthropic_models(client):
    return [model.id for model in client.models.list()] + [client.models.retrieve("tiny").display_name]


@case("anthropic")
def message(client):
    answer = client.messages.create(
        model="tiny",
        max_tokens=6,
        extra_body=GREEDY_BODY,
        system=[{"type": "text", "text": "You tell stories.", "cache_control": {"type": "ephemeral"}}],
        messages=TURNS,
        metadata={"user_id": "someone"},
        stop_sequences=["!!"],
    )
    return {"text": said(answer), "reason": answer.stop_reason, "tokens": answer.usage.output_tokens}


@case("anthropic")
def message_stream(client):
    with client.messages.stream(model="tiny", max_tokens=6, extra_body=GREEDY_BODY, messages=TURNS) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    return {"text": text, "whole": said(answer), "reason": answer.stop_reason, "tokens": answer.usage.output_tokens}


@case("anthropic")
def message_prefilled(client):
    messages = [*TURNS, {"role": "assistant", "content": [{"type": "text", "text": "and stormy"}]}]
    return said(client.messages.create(model="tiny", max_tokens=4, extra_body=GREEDY_BODY, messages=messages))


@case("anthropic")
def message_tokens(client):
    return client.messages.count_tokens(model="tiny", messages=TURNS, system="You tell stories.").input_tokens


@case("anthropic")
def message_tools(client):
    choice = {"type": "any", "disable_parallel_tool_use": True}
    tool = {**WEATHER, "input_schema": {**WEATHER["input_schema"], "properties": {"city": {"enum": ["Ulm", "Bonn"]}}}}
    asking = {"model": "agent", "tools": [tool], "extra_body": GREEDY_BODY}
    called = client.messages.create(messages=TURNS, max_tokens=200, tool_choice=choice, **asking)
    (call,) = called.content
    messages = [
        *TURNS,
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain."}]},
    ]
    answer = client.messages.create(messages=messages, max_tokens=4, tool_choice={"type": "none"}, **asking)
    return [called.stop_reason, call.name, call.input, said(answer)]


@case("anthropic")
def message_tools_stream(client):
    tool_choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    tool = {**WEATHER, "input_schema": {**WEATHER["input_schema"], "properties": {"city": {"enum": ["Ulm", "Bonn"]}}}}
    with client.messages.stream(
        model="agent", max_tokens=200, messages=TURNS, tools=[tool], tool_choice=tool_choice, extra_body=GREEDY_BODY
    ) as stream:
        kinds = [event.type for event in stream if event.type in ("input_json", "content_block_stop")]
        answer = stream.get_final_message()
    return [answer.stop_reason, answer.content[0].input, sorted(set(kinds))]


@case("anthropic")
def message_schema(client):
    schema = {"type": "object", "properties": {"city": {"enum": ["Ulm", "Bonn"]}}, "required": ["city"], "additionalProperties": False}
    answer = client.messages.create(
        model="tiny",
        max_tokens=200,
        messages=TURNS,
        output_config={"format": {"type": "json_schema", "schema": schema}},
        extra_body=GREEDY_BODY,
    )
    return json.loads(said(answer))


@case("anthropic")
def message_thinking(client):
    answer = client.messages.create(
        model="agent",
        max_tokens=4,
        messages=TURNS,
        thinking={"type": "enabled", "budget_tokens": 1024},
        extra_body=GREEDY_BODY,
    )
    return [[block.type for block in answer.content], answer.content[0].thinking]


@case("anthropic")
def message_errors(client):
    from anthropic import BadRequestError, NotFoundError

    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
    told = []
    for fields in (
        {"model": "none"},
        {"messages": [{"role": "user", "content": [image]}]},
        {"extra_body": {"temperature": 3}},
        {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}},
    ):
        try:
            client.messages.create(**{"model": "tiny", "max_tokens": 4, "messages": TURNS, **fields})
        except (BadRequestError, NotFoundError) as error:
            told.append([type(error).__name__, error.body["error"]["type"], error.body["error"]["message"]])
    return told


# --- Ollama -----------------------------------------------------------------------------------------------------------------

GREEDY = {"temperature": 0, "num_predict": 6}


def ollama_client(url: str):
    from ollama import Client

    return Client(host=url)


@case("ollama")
def ollama_models(client):
    shown = client.show("tiny")
    listed = [model.model for model in client.list().models] + [model.model for model in client.ps().models]
    return [listed, shown.details.family, shown.capabilities, shown.modelinfo["llama.block_count"]]


@case("ollama")
def ollama_chat(client):
    answer = client.chat("tiny", messages=MESSAGES, options=GREEDY, keep_alive="5m")
    return [answer.message.content, answer.done_reason, answer.prompt_eval_count, answer.eval_count]


@case("ollama")
def ollama_chat_stream(client):
    parts = list(client.chat("tiny:latest", messages=MESSAGES, options=GREEDY, stream=True))
    return ["".join(part.message.content for part in parts), parts[-1].eval_count]


@case("ollama")
def ollama_generate(client):
    first = client.generate("tiny", "It was a dark", options=GREEDY)
    second = client.generate("tiny", "Go on", context=first.context, options=GREEDY)
    raw = client.generate("tiny", "It was a dark", raw=True, options=GREEDY, logprobs=True, top_logprobs=1)
    return [first.response, second.response, raw.response, [one.token for one in raw.logprobs]]


@case("ollama")
def ollama_generate_stream(client):
    parts = list(client.generate("tiny", "It was a dark", system="You tell stories.", options=GREEDY, stream=True))
    return ["".join(part.response for part in parts), parts[-1].done_reason]


@case("ollama")
def ollama_schema(client):
    schema = {"type": "object", "properties": {"city": {"enum": ["Ulm", "Bonn"]}}, "required": ["city"], "additionalProperties": False}
    answer = client.chat("tiny", messages=MESSAGES, format=schema, options={"temperature": 0, "num_predict": 200})
    return json.loads(answer.message.content)


@case("ollama")
def ollama_tools(client):
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: where
        """
        return "Rain."

    call = {"function": {"name": "weather", "arguments": {"city": "Ulm"}}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "weather", "content": weather("Ulm")},
    ]
    answer = client.chat("agent", messages=messages, tools=[weather], think=False, options=GREEDY)
    return [answer.message.content, answer.message.tool_calls]


@case("ollama")
def ollama_embed(client):
    vectors = client.embed("tiny", ["It was a dark", "Once"], truncate=False).embeddings
    return [[round(number, 3) for number in vector[:2]] for vector in vectors]


@case("ollama")
def ollama_errors(client):
    from ollama import ResponseError

    told = []
    for run in (
        lambda: client.chat("none", messages=MESSAGES),
        lambda: client.chat("tiny", messages=MESSAGES, options={"mirostat": 1}),
        lambda: client.generate("tiny", "a", suffix="b"),
        lambda: client.chat("tiny", messages=[{"role": "user", "content": "a", "images": [b"a"]}]),
        lambda: client.pull("tiny"),
        lambda: client.delete("tiny"),
    ):
        try:
            run()
        except ResponseError as error:
            told.append([error.status_code, error.error])
    return told


# --- recording --------------------------------------------------------------------------------------------------------------

CLIENTS = {"openai": openai_client, "anthropic": anthropic_client, "ollama": ollama_client}


class Recorder(BaseHTTPRequestHandler):
    """Hands a request on, and keeps it with its answer."""

    target = ""
    exchanges: list[dict] = []

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = urlsplit(self.target)
        connection = http.client.HTTPConnection(target.hostname, target.port)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in LEFT_OUT}
        # answers are written down as they are
        connection.request(self.command, self.path, body, {**headers, "accept-encoding": "identity"})
        answer = connection.getresponse()
        answered = answer.read()
        kind = answer.headers.get("content-type", "")
        self.exchanges.append({
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in headers.items()},
            "body": body.decode(),
            "status": answer.status,
            "contentType": kind,
            "answer": answered.decode(),
        })
        self.send_response(answer.status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    do_GET = do_POST = do_DELETE = handle_any

    def log_message(self, *_args) -> None:
        pass


def masked(text: str, ids: list[str]) -> str:
    """Times become 0; ids their number among those of the case, in the order in which they appear."""

    def number(found: re.Match) -> str:
        if found[0] not in ids:
            ids.append(found[0])
        return f"<id {ids.index(found[0])}>"

    return IDS.sub(number, TIMES.sub(r"\g<1>0", text))


def record(url: str, only: list[str]) -> None:
    kept = {(one["client"], one["name"]): one for one in json.loads(OUT.read_text())["cases"]} if only else {}
    Recorder.target = url
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    through = f"http://127.0.0.1:{proxy.server_port}"
    recorded = []
    for client, run in CASES:
        if only and f"{client}.{run.__name__}" not in only and (client, run.__name__) in kept:
            recorded.append(kept[client, run.__name__])
            continue
        Recorder.exchanges.clear()
        result = run(CLIENTS[client](through))
        ids: list[str] = []
        exchanges = [
            {**one, "body": masked(one["body"], ids), "path": masked(one["path"], ids), "answer": masked(one["answer"], ids)}
            for one in Recorder.exchanges
        ]
        recorded.append({"client": client, "name": run.__name__, "exchanges": exchanges, "result": result})
        print(f"{client} {run.__name__}: {json.dumps(result)[:100]}")
    proxy.shutdown()
    versions = {client: version(client) for client in CLIENTS}
    masks = {"ids": IDS.pattern, "times": TIMES.pattern}
    OUT.write_text(json.dumps({"versions": versions, "masks": masks, "cases": recorded}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="of a gateway that serves models/tiny as `tiny`; default: gateway-server.ts")
    parser.add_argument("only", nargs="*", help="cases to record again, as `openai.chat`; default: all")
    arguments = parser.parse_args()
    if arguments.url is not None:
        record(arguments.url, arguments.only)
        return
    node = ROOT / "node_modules" / ".bin" / "node"
    server = subprocess.Popen(
        [node, ROOT / "scripts" / "reference" / "gateway-server.ts"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        record(server.stdout.readline().strip(), arguments.only)
    finally:
        server.stdin.close()
        server.wait()


if __name__ == "__main__":
    main()
