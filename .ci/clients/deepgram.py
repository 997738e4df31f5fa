#!/usr/bin/env python3
"""Tries the Deepgram emulator with Deepgram's own Python client.

    deepgram.py <base URL of a running emulator>

Needs what deepgram.txt lists. Changes the emulator's settings and forgets its sessions. Prints a line
for each check, and ends with the first that fails.
"""

import json
import sys
import urllib.request

# This file's own folder comes first there, and this file is not the package of the same name.
sys.path.pop(0)

from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import (
    ListenV1Error,
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)
from websockets.exceptions import ConnectionClosedError, InvalidStatus

KEY = "dg_key"
FRAME = b"\xff" * 160
ALL = dict(
    model="nova-3",
    encoding="mulaw",
    sample_rate="8000",
    punctuate="true",
    interim_results="true",
    endpointing="300",
    utterance_end_ms="1000",
    vad_events="true",
)


def check(what, holds, seen=None):
    """Prints what was found to hold, or ends."""
    if not holds:
        sys.exit(f"deepgram: {what}: NO, but {seen!r}")
    print(f"deepgram: {what}")


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

    def script(self, *sessions):
        self("POST", "script", list(sessions))


def hearing(*spoken, quirks=()):
    said = [{"at_ms": at, "text": text} for at, text in spoken]
    return {"hears": {"script": said}, "quirks": list(quirks)}


def client(base, key=KEY):
    socket = base.replace("http", "ws", 1)
    where = DeepgramClientEnvironment(base=base, production=socket, agent=socket, agent_rest=base)
    return DeepgramClient(api_key=key, environment=where)


def transcript(message):
    return message.channel.alternatives[0].transcript


def talk(dg, seconds, then=lambda socket: None, **more):
    """Plays so much audio and returns everything told until the socket is closed."""
    told = []
    with dg.listen.v1.connect(**{**ALL, **more}) as socket:
        for _ in range(int(seconds * 50)):
            socket.send_media(FRAME)
        then(socket)
        socket.send_close_stream()
        told.extend(socket)
    return told


def listening(dg, control):
    control.script(hearing((500, "Hello there.")))
    told = talk(dg, 2.4)
    kinds = [type(message) for message in told]
    check("speech starts first", isinstance(told[0], ListenV1SpeechStarted) and told[0].timestamp == 0.49, told[0])
    results = [message for message in told if isinstance(message, ListenV1Results)]
    check("an interim result comes before the final", not results[0].is_final, results)
    final = next(result for result in results if result.speech_final)
    check("the end of speech brings the whole utterance", transcript(final) == "Hello there.", final)
    words = final.channel.alternatives[0].words
    check("its words have times", [(w.word, w.start, w.end) for w in words] == [("hello", 0.5, 0.8), ("there", 0.86, 1.22)], words)
    check("the model is named", final.metadata.model_info.name == "general-nova-3", final.metadata)
    end = next((message for message in told if isinstance(message, ListenV1UtteranceEnd)), None)
    check("the utterance ends after it", end is not None and end.last_word_end == 1.22, end)
    check("in this order", kinds.index(ListenV1UtteranceEnd) > told.index(final), kinds)
    last = told[-1]
    check("the stream's metadata comes last", isinstance(last, ListenV1Metadata) and last.duration == 2.4, last)


def finalizing(dg, control):
    control.script(hearing((0, "Hold on")))

    def finalize(socket):
        socket.send_keep_alive()
        socket.send_finalize()

    told = talk(dg, 0.6, finalize)
    final = [message for message in told if isinstance(message, ListenV1Results) and message.is_final]
    check("finalize makes it final at once", final[0].from_finalize and transcript(final[0]) == "Hold on", told)
    report = control("GET", "reports")[-1]
    check("the emulator has counted", (report["keep_alives"], report["finalizes"], report["nonsense"]) == (1, 1, 0), report)


def refusals(base, dg, control):
    for what, connect, status in [
        ("a wrong key is refused", lambda: client(base, "wrong").listen.v1.connect(**ALL), 401),
        ("an unknown model is refused", lambda: dg.listen.v1.connect(**{**ALL, "model": "nova-9"}), 400),
        ("utterances without interim results are refused", lambda: dg.listen.v1.connect(**{**ALL, "interim_results": "false"}), 400),
    ]:
        refused(what, connect, status)
    control.script({"quirks": [{"refuse": {"status": 429, "code": "TOO_MANY_REQUESTS", "message": "Too many requests."}}]})
    refused("a busy project is refused", lambda: dg.listen.v1.connect(**ALL), 429)


def refused(what, connect, status):
    try:
        with connect():
            pass
    except InvalidStatus as error:
        # The client does not wrap it.
        seen = error.response
        check(what, seen.status_code == status and seen.headers["dg-error"], seen)
    except Exception as error:
        seen = getattr(error, "status_code", None)
        check(what, seen == status, error)
    else:
        check(what, False, "it was let in")


def ends(dg, control):
    control.script(hearing(quirks=[{"close": {"after_ms": 100, "code": 1011, "reason": "NET-0000: late"}}]))
    with dg.listen.v1.connect(**ALL) as socket:
        socket.send_media(FRAME * 5)
        closed("a close in the middle is told", socket, 1011, "NET-0000")
    control("PATCH", "config", {"speed": 100.0})
    with dg.listen.v1.connect(**ALL) as socket:
        socket.send_media(FRAME)
        closed("an idle client is closed", socket, 1011, "NET-0001")
    control("PATCH", "config", {"speed": 1.0})


def closed(what, socket, code, reason):
    try:
        list(socket)
    except ConnectionClosedError as error:
        check(what, error.rcvd.code == code and error.rcvd.reason.startswith(reason), error)
    else:
        check(what, False, "a good end")


def errors(dg):
    with dg.listen.v1.connect(**ALL) as socket:
        socket._send({"type": "Nonsense"})
        message = socket.recv()
        check("nonsense is complained of", isinstance(message, ListenV1Error) and message.variant == "SchemaError", message)


def grants(base, dg):
    token = dg.auth.v1.tokens.grant(ttl_seconds=60)
    check("a token is granted", token.expires_in == 60 and token.access_token, token)
    socket = base.replace("http", "ws", 1)
    where = DeepgramClientEnvironment(base=base, production=socket, agent=socket, agent_rest=base)
    told = talk(DeepgramClient(access_token=token.access_token, environment=where), 0.2)
    check("it opens a stream", isinstance(told[-1], ListenV1Metadata), told)


def main(base):
    control = Control(base)
    control("POST", "reset")
    dg = client(base)
    listening(dg, control)
    finalizing(dg, control)
    errors(dg)
    grants(base, dg)
    refusals(base, dg, control)
    ends(dg, control)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
