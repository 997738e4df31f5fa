#!/usr/bin/env python3
"""Tries the ElevenLabs emulator with ElevenLabs' own Python client.

    elevenlabs.py <base URL of a running emulator>

Needs what elevenlabs.txt lists. Changes the emulator's settings and forgets its requests. Prints a line
for each check, and ends with the first that fails.
"""

import base64
import json
import sys
import urllib.request

# This file's own folder comes first there, and this file is not the package of the same name.
sys.path.pop(0)

from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

KEY, VOICE, MODEL = "xi_key", "voice1", "eleven_flash_v2_5"
TEXT = "Hello, this is Asha. "
# Of µ-law at 8 kHz, at 60 ms each.
CHARACTER_BYTES = 480


def check(what, holds, seen=None):
    """Prints what was found to hold, or ends."""
    if not holds:
        sys.exit(f"elevenlabs: {what}: NO, but {seen!r}")
    print(f"elevenlabs: {what}")


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

    def script(self, *quirks):
        self("POST", "script", [{"quirks": list(quirks)}])

    def last(self):
        return self("GET", "reports")[-1]


def client(base, key=KEY):
    made = ElevenLabs(api_key=key, base_url=base, timeout=20)
    # The client has no setting for a socket without TLS.
    made.text_to_speech._ws_base_url = base.replace("http", "ws", 1)
    return made


def speech(tts, **more):
    asked = dict(text=TEXT, model_id=MODEL, output_format="ulaw_8000")
    return dict(voice_id=VOICE, **{**asked, **more})


def http(tts, control):
    audio = b"".join(tts.stream(**speech(tts)))
    check("a stream is as long as its text", len(audio) == CHARACTER_BYTES * len(TEXT), len(audio))
    check("the emulator has spoken all of it", control.last()["spoken"] == TEXT, control.last())
    settings = VoiceSettings(stability=0.5, similarity_boost=0.8, speed=1.2)
    fast = b"".join(tts.convert(**speech(tts, voice_settings=settings)))
    check("a faster voice takes less", len(fast) == len(TEXT) * 400, len(fast))
    wide = b"".join(tts.convert(**speech(tts, output_format="pcm_16000")))
    check("a wider format takes more", len(wide) == len(TEXT) * 1920, len(wide))


def timestamps(tts):
    answer = tts.convert_with_timestamps(**speech(tts))
    ends = answer.alignment.character_end_times_seconds
    check("characters have times", "".join(answer.alignment.characters) == TEXT and ends[0] == 0.06, answer.alignment)
    parts = list(tts.stream_with_timestamps(**speech(tts)))
    audio = b"".join(base64.b64decode(part.audio_base_64) for part in parts)
    check("a stream with times has the same audio", audio == base64.b64decode(answer.audio_base_64) and len(parts) == 2, parts)


def sockets(tts, control):
    parts = ["Hello, ", "this is ", "Asha."]
    asked = dict(model_id=MODEL, output_format="ulaw_8000")
    audio = b"".join(tts.convert_realtime(VOICE, text=iter(parts), **asked))
    report = control.last()
    check("a socket says what came in parts", report["text"].split() == TEXT.split() and report["spoken"] == report["text"], report)
    check("and all of it arrives", len(audio) == report["bytes"] == CHARACTER_BYTES * len(report["text"]), len(audio))
    control.script({"socket_error": {"error": "quota_exceeded", "message": "You have 0 credits remaining."}})
    refused(
        "a socket's error is raised",
        # With a second part the client would forget what it has been told.
        lambda: list(tts.convert_realtime(VOICE, text=iter(["Hello."]), **asked)),
        lambda error: error.status_code == 1008 and error.body["error"] == "quota_exceeded",
    )


    control.script({"end_early": {"after_ms": 0}})
    audio = b"".join(tts.convert_realtime(VOICE, text=iter(parts), **asked))
    check("a socket that closes without its end is noticed by nothing else either", audio == b"", len(audio))


def refused(what, doing, holds):
    try:
        answer = doing()
    except ApiError as error:
        check(what, holds(error), (error.status_code, error.body))
    else:
        check(what, False, answer)


def refusals(base, tts, control):
    say = lambda who=tts, **more: list(who.stream(**speech(who, **more)))
    detail = lambda error: error.body["detail"]
    stranger = client(base, "wrong").text_to_speech
    refused("a wrong key is refused", lambda: say(stranger), lambda error: error.status_code == 401 and detail(error)["code"] == "invalid_api_key")
    refused("an unknown model is refused", lambda: say(model_id="eleven_v9"), lambda error: detail(error)["code"] == "model_not_found")
    control("PATCH", "config", {"voices": ["voice2"]})
    refused("an unknown voice is refused", say, lambda error: error.status_code == 404 and detail(error)["code"] == "voice_not_found")
    control("PATCH", "config", {"voices": []})
    refused("an unknown format is invalid", lambda: say(output_format="ulaw_16000"), lambda error: error.status_code == 422)
    for status, code in [(401, "quota_exceeded"), (429, "too_many_concurrent_requests")]:
        # The client tries again by itself unless it is told not to.
        control.script({"reply": {"status": status, "code": code, "message": "No."}})
        refused(
            f"{code} is told",
            lambda: say(request_options={"max_retries": 0}),
            lambda error: error.status_code == status and detail(error)["status"] == code,
        )


def faults(tts, control):
    control.script({"cut": {"after_ms": 300}})
    control("PATCH", "config", {"chunk_bytes": 800})
    audio = b""
    try:
        for chunk in tts.stream(**speech(tts)):
            audio += chunk
    except Exception as error:
        # The client passes on what its HTTP library says.
        check(f"a cut in the middle is noticed: {type(error).__name__}", len(audio) <= 2400, len(audio))
    else:
        check("a cut in the middle is noticed", False, len(audio))
    control.script({"end_early": {"after_ms": 300}})
    audio = b"".join(tts.stream(**speech(tts)))
    check("an end that comes early is noticed by nothing but its length", len(audio) == 2400, len(audio))
    control.script({"chunks": {"size": 7}})
    audio = b"".join(tts.stream(**speech(tts, output_format="pcm_8000")))
    check("odd pieces add up", len(audio) == len(TEXT) * 960, len(audio))


def main(base):
    control = Control(base)
    control("POST", "reset")
    tts = client(base).text_to_speech
    http(tts, control)
    timestamps(tts)
    sockets(tts, control)
    refusals(base, tts, control)
    faults(tts, control)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
