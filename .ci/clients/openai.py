#!/usr/bin/env python3
"""Tries the OpenAI emulator with OpenAI's own Python client.

    openai.py <base URL of a running emulator>

Needs what openai.txt lists. Changes the emulator's settings and forgets its requests. Prints a line for
each check, and ends with the first that fails.
"""

import json
import sys
import urllib.request
from enum import Enum

# This file's own folder comes first there, and this file is not the package of the same name.
sys.path.pop(0)

import openai
from pydantic import BaseModel

KEY, MODEL = "sk-emulated", "gpt-4o-mini"
END_CALL = {
    "type": "function",
    "function": {
        "name": "end_call",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"reason": {"type": "string"}},
            "required": ["reason"],
            "additionalProperties": False,
        },
    },
}


class Outcome(str, Enum):
    interested = "interested"
    not_interested = "not_interested"


class Analysis(BaseModel):
    outcome: Outcome
    notes: str | None
    callbacks: list[int]


def check(what, holds, seen=None):
    """Prints what was found to hold, or ends."""
    if not holds:
        sys.exit(f"openai: {what}: NO, but {seen!r}")
    print(f"openai: {what}")


class Control:
    """The emulator's levers."""

    def __init__(self, base):
        self.base = base

    def __call__(self, method, path, body=None):
        request = urllib.request.Request(f"{self.base}/_emulator/{path}", method=method)
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20) as response:
            text = response.read()
        return json.loads(text) if text else None

    def script(self, *turns):
        self("POST", "script", list(turns))

    def refuse(self, times=1, **reply):
        self.script(*[{"quirks": [{"reply": reply}]}] * times)


def says(text):
    return [{"role": "system", "content": "You are a caller."}, {"role": "user", "content": text}]


def refused(what, doing, kind, holds):
    try:
        answer = doing()
    except kind as error:
        check(what, holds(error), (error, getattr(error, "body", None)))
    else:
        check(what, False, answer)


def whole(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=says("Hello"))
    check("answers have an id and limits", raw.headers["x-request-id"] and raw.headers["x-ratelimit-reset-tokens"], raw.headers)
    answer = raw.parse()
    choice = answer.choices[0]
    check("the user's words come back", (choice.message.content, choice.finish_reason) == ("You said: Hello", "stop"), answer)
    check("tokens are counted", answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage)


def streams(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=says("Hello"), stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check("a stream adds up to the answer", text == "You said: Hello", chunks)
    check("its last chunk has the usage and no choices", chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 4, chunks[-1])


def tools(client, control):
    control("PATCH", "config", {"rules": [
        {"when": {"user": "stop calling"}, "answer": {"tool_calls": [{"name": "end_call", "arguments": '{"reason":"opt-out"}'}]}},
        {"when": {"tool_result": "ended"}, "answer": {"text": "Goodbye."}},
    ]})
    messages = says("Please stop calling me.")
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[END_CALL]) as stream:
        fragments = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    check("a call's arguments come in fragments", len(fragments) > 2, fragments)
    check("and add up", (call.function.name, json.loads(call.function.arguments)) == ("end_call", {"reason": "opt-out"}), final)
    check("the finish reason says so", final.choices[0].finish_reason == "tool_calls", final)
    messages.append({"role": "assistant", "tool_calls": [call.model_dump(include={"id": True, "type": True, "function": {"name", "arguments"}})]})
    refused(
        "an unanswered call is refused",
        lambda: client.chat.completions.create(model=MODEL, messages=messages + says("Hello?")),
        openai.BadRequestError,
        lambda error: call.id in error.message,
    )
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "ended"})
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[END_CALL])
    check("the tool's result is spoken of", answer.choices[0].message.content == "Goodbye.", answer)
    control("PATCH", "config", {"rules": []})


def structured(client, control):
    answer = client.chat.completions.parse(model=MODEL, messages=says("Analyse"), response_format=Analysis)
    least = Analysis(outcome=Outcome.interested, notes="", callbacks=[])
    check("an answer follows the schema by itself", answer.choices[0].message.parsed == least, answer)
    given = {"outcome": "not_interested", "notes": None, "callbacks": [3, 5]}
    control.script({"answer": {"json": given}})
    message = client.chat.completions.parse(model=MODEL, messages=says("Analyse"), response_format=Analysis).choices[0].message
    check("or as scripted", message.parsed == Analysis(**given), message)
    check("in the order of the schema", list(json.loads(message.content)) == ["outcome", "notes", "callbacks"], message.content)
    control.script({"answer": {"refusal": "I won't."}})
    message = client.chat.completions.parse(model=MODEL, messages=says("Analyse"), response_format=Analysis).choices[0].message
    check("a refusal has no content", message.parsed is None and message.refusal == "I won't.", message)
    control.script({"quirks": [{"length": {"after_tokens": 2}}]})
    refused(
        "a truncated answer is told",
        lambda: client.chat.completions.parse(model=MODEL, messages=says("Analyse"), response_format=Analysis),
        openai.LengthFinishReasonError,
        lambda error: True,
    )
    loose = {"type": "json_schema", "json_schema": {"name": "A", "strict": True, "schema": {"type": "object", "properties": {}}}}
    refused(
        "a schema that is not strict is refused",
        lambda: client.chat.completions.create(model=MODEL, messages=says("Hello"), response_format=loose),
        openai.BadRequestError,
        lambda error: error.param == "response_format" and "additionalProperties" in error.message,
    )


def refusals(base, client, control):
    ask = lambda: client.chat.completions.create(model=MODEL, messages=says("Hello"))
    stranger = openai.OpenAI(api_key="sk-wrong", base_url=f"{base}/v1", max_retries=0)
    refused("a wrong key is refused", lambda: stranger.chat.completions.create(model=MODEL, messages=says("Hello")), openai.AuthenticationError, lambda error: error.code == "invalid_api_key")
    control.refuse(status=429, code="rate_limit_exceeded", message="Rate limit reached.", retry_after_ms=10)
    refused("throttling is told", ask, openai.RateLimitError, lambda error: error.type == "requests" and error.response.headers["retry-after-ms"] == "10")
    control.refuse(status=429, code="insufficient_quota", message="You exceeded your current quota.")
    refused("an empty account is told from it", ask, openai.RateLimitError, lambda error: error.code == "insufficient_quota")
    control.refuse(status=500, code="", message="The server had an error.")
    refused("a server's error is told", ask, openai.InternalServerError, lambda error: error.type == "server_error" and error.request_id)
    patient = client.with_options(max_retries=2)
    control.refuse(times=2, status=429, code="rate_limit_exceeded", message="Rate limit reached.", retry_after_ms=10)
    answer = patient.chat.completions.create(model=MODEL, messages=says("Again"))
    check("a patient client is served after two refusals", answer.choices[0].message.content == "You said: Again", answer)


def faults(client, control):
    def stream():
        return list(client.chat.completions.create(model=MODEL, messages=says("Hello"), stream=True))

    for what, quirk, kind in [
        ("an error in the middle is raised", "error_event", openai.APIError),
        ("so is one that is announced by name", "named_error_event", openai.APIError),
        ("a malformed chunk is noticed", "malformed_chunk", ValueError),
        # The client passes on what its HTTP library says.
        ("a cut is noticed", "cut", Exception),
    ]:
        control.script({"quirks": [{quirk: {"after_tokens": 1}}]})
        refused(what, stream, kind, lambda error: True)
    control.script({"quirks": [{"pause": {"after_tokens": 1, "for_ms": 100}}]})
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream())
    check("a pause in the middle changes nothing", text == "You said: Hello", text)
    control.script({"quirks": [{"split_bytes": {"size": 5}}, "comments"]})
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream())
    check("bytes split anywhere and comments change nothing", text == "You said: Hello", text)
    control.script({"quirks": ["hang"]})
    hasty = client.with_options(timeout=0.3)
    refused("a hanging request times out", lambda: hasty.chat.completions.create(model=MODEL, messages=says("Hello")), openai.APITimeoutError, lambda error: True)


def main(base):
    control = Control(base)
    control("POST", "reset")
    client = openai.OpenAI(api_key=KEY, base_url=f"{base}/v1", max_retries=0, timeout=20)
    whole(client)
    streams(client)
    tools(client, control)
    structured(client, control)
    refusals(base, client, control)
    faults(client, control)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
