#!/usr/bin/env python3
"""Tries the emulator of Telnyx with Telnyx's own client: every request that our adapter makes, and webhooks
verified by the official verifier. One line per check; ends at the first disagreement.

    .ci/clients/telnyx.py http://127.0.0.1:PORT

The emulator is expected as it starts by default. Needs the packages of telnyx.txt."""

import base64
import http.server
import json
import pathlib
import queue
import sys
import threading
import urllib.request
import uuid

# This file has the name of the package, which it must not hide.
here = pathlib.Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if pathlib.Path(entry).resolve() != here]

import telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

BASE = sys.argv[1].rstrip("/") if len(sys.argv) == 2 else sys.exit(__doc__)
CALLER, CUSTOMER, AGENT, OTHER = "+14155550100", "+14155550123", "+14155550177", "+14155550188"
CONNECTION = "1494404757140276705"
STATE = base64.b64encode(b"att_1").decode()
HOUR_MS = 3_600_000


def check(name, holds, seen=None):
    if not holds:
        sys.exit(f"telnyx: {name}: disagreement; seen: {seen!r}")
    print(f"ok  {name}", flush=True)


def refused(name, kind, code, request):
    """The request must fail with this exception of the client and this code in the body."""
    try:
        seen = request()
    except telnyx.APIStatusError as error:
        seen = error.body
        codes = [one.get("code") for one in (seen or {}).get("errors", [])] if isinstance(seen, dict) else []
        check(name, isinstance(error, kind) and codes == [code], (type(error).__name__, seen))
    else:
        check(name, False, seen)


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/_emulator/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


def script(number, *scenarios):
    control("POST", "scripts", {"number": number, "scenarios": list(scenarios)})


def answered(talk_ms, **more):
    return {"outcome": {"answered": {"talk_ms": talk_ms}}, "ring_ms": 1000, **more}


class Hooks(http.server.BaseHTTPRequestHandler):
    """Keeps webhooks, and answers fetches of TeXML instructions."""

    received = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Hooks.received.put((self.path, dict(self.headers), body.decode()))
        reply = b""
        if self.path.startswith("/texml"):
            reply = b'<?xml version="1.0"?><Response><Say voice="alice">Hello</Say><Hangup/></Response>'
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


backlog = []


def next_hook(wanted):
    """The first that is wanted, whatever came before it: no order is promised."""
    while True:
        for index, (path, headers, body) in enumerate(backlog):
            if wanted(path, body):
                return backlog.pop(index)
        try:
            backlog.append(Hooks.received.get(timeout=20))
        except queue.Empty:
            sys.exit("telnyx: a webhook that was expected has not come within 20 s")


def event(name, state):
    """The next webhook of this name and of the call of this state, verified and parsed."""

    def is_it(path, body):
        if path != "/hook":
            return False
        data = json.loads(body)["data"]
        return data["event_type"] == name and data["payload"]["client_state"] == state

    _, headers, body = next_hook(is_it)
    return client.webhooks.unwrap(body, headers=headers).data


def eventually(find):
    for _ in range(200):
        if found := find():
            return found
        threading.Event().wait(0.05)
    return None


config = control("PATCH", "config", {"speed": 100.0})
account, api_key = config["accounts"][0]["id"], config["accounts"][0]["api_key"]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
threading.Thread(target=server.serve_forever, daemon=True).start()
HOOK = f"http://127.0.0.1:{server.server_port}"
options = {"base_url": f"{BASE}/v2", "max_retries": 0, "timeout": 10}
public = telnyx.Telnyx(api_key=api_key, **options).get("/public_key", cast_to=object)["data"]["public"]
client = telnyx.Telnyx(api_key=api_key, public_key=public, **options)


def dial(**more):
    request = {"connection_id": CONNECTION, "from_": CALLER, "to": CUSTOMER, "webhook_url": f"{HOOK}/hook"}
    return client.calls.dial(**{**request, **more}).data


# Call Control: dial, events, reads.
# It lasts five seconds here, unless it is moved on.
script(CUSTOMER, answered(500_000, answerer="machine_with_beep"))
command = str(uuid.uuid4())
wish = {
    "command_id": command,
    "client_state": STATE,
    "timeout_secs": 45,
    "time_limit_secs": 600,
    "answering_machine_detection": "premium",
    "answering_machine_detection_config": {"total_analysis_time_millis": 5000},
    "record": "record-from-answer",
    "webhook_retries_policies": {"call.hangup": {"retries_ms": [1000, 2000]}},
}
placed = dial(**wish)
check("dial: ids, client state and recording id", placed.record_type == "call" and not placed.is_alive
      and placed.call_leg_id and placed.client_state == STATE and placed.recording_id, placed)
again = dial(**wish)
check("dial: the same command_id places no second call", again.call_control_id == placed.call_control_id, again)
payload = event("call.initiated", STATE).payload
check("webhook call.initiated: verified and parsed", payload.call_control_id == placed.call_control_id
      and payload.direction == "outgoing" and payload.from_ == CALLER and payload.to == CUSTOMER, payload)
payload = event("call.answered", STATE).payload
check("webhook call.answered", payload.state == "answered" and payload.client_state == STATE, payload)
status = client.calls.retrieve_status(placed.call_control_id).data
check("retrieve_status: alive", status.is_alive and status.client_state == STATE and status.start_time, status)
active = list(client.connections.list_active_calls(CONNECTION, page_size=1))
check("list_active_calls: found by client state", [call.client_state for call in active] == [STATE], active)
payload = event("call.machine.premium.detection.ended", STATE).payload
check("webhook premium detection", payload.result == "machine", payload)
payload = event("call.machine.premium.greeting.ended", STATE).payload
check("webhook premium greeting", payload.result == "beep_detected", payload)
control("POST", f"calls/{placed.call_control_id}/proceed")
payload = event("call.hangup", STATE).payload
check("webhook call.hangup", (payload.hangup_cause, payload.hangup_source, payload.sip_hangup_cause)
      == ("normal_clearing", "callee", "200") and payload.call_quality_stats.inbound.mos, payload)
payload = event("call.recording.saved", STATE).payload
check("webhook call.recording.saved", payload.recording_urls.mp3 and payload.call_leg_id == placed.call_leg_id, payload)
status = client.calls.retrieve_status(placed.call_control_id).data
check("retrieve_status: over", not status.is_alive and status.call_duration >= 8 and status.end_time, status)
check("the evidence: one call for two requests",
      control("GET", "dials?key=att_1")["keys"]["att_1"] == {"requests": 2, "accepted": 1})

# Looking for what happened.
found = list(client.call_events.list(filter={"name": "call.hangup", "to": CUSTOMER, "from": CALLER, "type": "webhook",
                                             "occurred_at": {"gte": "2020-01-01T00:00:00Z"}}))
check("call_events: the hangup with its raw event", [one.metadata["payload"]["hangup_cause"] for one in found]
      == ["normal_clearing"], found)
found = list(client.call_events.list(filter={"leg_id": placed.call_leg_id, "product": "call_control"}, page_size=2))
check("call_events: all pages of one leg", len(found) == 7, [one.name for one in found])
found = eventually(lambda: list(client.webhook_deliveries.list(filter={
    "event_type": "call.initiated", "webhook": {"contains": STATE}, "status": {"eq": "delivered"},
    "started_at": {"gte": "2020-01-01T00:00:00Z"}})))
check("webhook_deliveries: found by client state", found and len(found) == 1
      and found[0].webhook.payload["call_control_id"] == placed.call_control_id
      and found[0].attempts[0].http.response.status == 200, found)
found = client.webhook_deliveries.retrieve(found[0].id).data
check("webhook_deliveries: one by its id", found.webhook.event_type == "call.initiated", found)
found = list(client.recordings.list(filter={"connection_id": CONNECTION}))
check("recordings: the one made", [one.call_leg_id for one in found] == [placed.call_leg_id]
      and found[0].download_urls.mp3, found)

# Commands.
script(CUSTOMER, answered(100 * HOUR_MS, caller={"presses": [{"after_ms": 200_000, "digit": "7"}]}))
script(AGENT, answered(1000))
script(OTHER, {"outcome": "busy", "ring_ms": 500_000})
call = dial(client_state="YQ==").call_control_id
actions = client.calls.actions
refused("speak before the answer: 90034", telnyx.UnprocessableEntityError, "90034",
        lambda: actions.speak(dial(client_state="Yg==", to=OTHER, timeout_secs=600).call_control_id, payload="Hi",
                              voice="female"))
event("call.answered", "YQ==")
result = actions.gather(call, maximum_digits=1, timeout_millis=600_000).data.result
check("gather", result == "ok", result)
payload = event("call.dtmf.received", "YQ==").payload
check("webhook call.dtmf.received", payload.digit == "7", payload)
payload = event("call.gather.ended", "YQ==").payload
check("webhook call.gather.ended", (payload.digits, payload.status) == ("7", "valid"), payload)
actions.gather_using_speak(call, payload="Code? " * 400, voice="female", maximum_digits=1,
                           timeout_millis=600_000)
check("gather_using_speak, gather_stop", actions.stop_gather(call).data.result == "ok")
payload = event("call.gather.ended", "YQ==").payload
check("webhook call.gather.ended: cancelled", payload.status == "cancelled", payload)
payload = event("call.speak.ended", "YQ==").payload
check("webhook call.speak.ended: of the prompt", payload.status == "completed", payload)
actions.speak(call, payload="Hello", voice="female", command_id=str(uuid.uuid4()))
payload = event("call.speak.ended", "YQ==").payload
check("speak", payload.status == "completed", payload)
actions.start_playback(call, audio_url="http://127.0.0.1:9/a.mp3", loop="infinity")
payload = event("call.playback.started", "YQ==").payload
check("playback_start", payload.media_url == "http://127.0.0.1:9/a.mp3", payload)
actions.stop_playback(call)
payload = event("call.playback.ended", "YQ==").payload
check("playback_stop", payload.status == "cancelled", payload)
actions.start_recording(call, channels="single", format="wav")
actions.stop_recording(call)
payload = event("call.recording.saved", "YQ==").payload
check("record_start, record_stop", payload.channels == "single" and payload.recording_urls.wav, payload)
check("send_dtmf", actions.send_dtmf(call, digits="1w2", duration_millis=200).data.result == "ok")
actions.start_streaming(call, stream_url=f"ws://127.0.0.1:{server.server_port}/", stream_track="both_tracks",
                        stream_bidirectional_mode="rtp", stream_bidirectional_codec="PCMU")
payload = event("streaming.failed", "YQ==").payload
check("streaming_start: a bot that cannot be reached", payload.failure_reason == "connection_failed", payload)
refused("streaming_stop without a stream: 90048", telnyx.UnprocessableEntityError, "90048",
        lambda: actions.stop_streaming(call))
check("client_state_update", actions.update_client_state(call, client_state="Yw==").data.result == "ok")
actions.transfer(call, to=AGENT, target_leg_client_state="ZA==")
payload = event("call.bridged", "ZA==").payload
check("transfer: the second leg is bridged", payload.to == AGENT, payload)
payload = event("call.hangup", "Yw==").payload
check("transfer: the end of the second leg is the end of the first", payload.hangup_cause == "normal_clearing", payload)
refused("hangup too late: 90018", telnyx.UnprocessableEntityError, "90018", lambda: actions.hangup(call))
script(CUSTOMER, answered(100 * HOUR_MS))
call = dial(client_state="ZQ==").call_control_id
event("call.answered", "ZQ==")
check("hangup", actions.hangup(call).data.result == "ok")
payload = event("call.hangup", "ZQ==").payload
check("webhook call.hangup: by us", payload.hangup_source == "caller", payload)

# Refusals.
refused("an unknown call: 90015", telnyx.UnprocessableEntityError, "90015", lambda: actions.hangup("v3:nobody"))
refused("an unknown call read: 10005", telnyx.NotFoundError, "10005", lambda: client.calls.retrieve_status("v3:nobody"))
refused("a client state that is not base64: 90017", telnyx.UnprocessableEntityError, "90017",
        lambda: dial(client_state="no base64"))
refused("a number that is none: 10016", telnyx.UnprocessableEntityError, "10016", lambda: dial(to="4155550123"))
refused("a wrong key: 10009", telnyx.AuthenticationError, "10009",
        lambda: telnyx.Telnyx(api_key="wrong", **options).calls.retrieve_status("v3:nobody"))
control("PATCH", "config", {"numbers": ["+14155550199"]})
refused("a number of somebody else: 10027", telnyx.UnprocessableEntityError, "10027", dial)
control("PATCH", "config", {"numbers": [], "limits": {"dials_per_5_s": 1}, "speed": 0.01})
refused("too many dials: 90103", telnyx.RateLimitError, "90103", lambda: [dial() for _ in range(3)])
control("PATCH", "config", {"limits": {"dials_per_5_s": 150}, "speed": 100.0})
control("PATCH", "config", {"accounts": [{**config["accounts"][0], "standing": "no_funds"}]})
refused("no funds: 20100", telnyx.APIStatusError, "20100", dial)
control("PATCH", "config", {"accounts": config["accounts"]})

# The official client repeats a dial by itself; command_id keeps that from ringing twice.
script(CUSTOMER, {"outcome": "busy", "quirks": ["accept_then_drop"]})
retrying = client.with_options(max_retries=2)
repeated = retrying.calls.dial(connection_id=CONNECTION, from_=CALLER, to=CUSTOMER, command_id=str(uuid.uuid4()),
                               client_state="Zg==").data
check("a lost response: the client's own retry finds the call",
      repeated.call_control_id and control("GET", "dials?key=f")["keys"]["f"] == {"requests": 2, "accepted": 1}, repeated)

# Signatures.
for forgery in ("wrong_key", "missing", "stale"):
    script(CUSTOMER, {"outcome": "busy", "quirks": [{"forged": forgery}]})
    state = base64.b64encode(forgery.encode()).decode()
    dial(client_state=state)
    try:
        seen = event("call.hangup", state)
    except (WebhookVerificationError, telnyx.TelnyxError) as error:
        check(f"a webhook with signature {forgery} is refused by the official verifier", True, error)
    else:
        check(f"a webhook with signature {forgery} is refused by the official verifier", False, seen)

# TeXML.
script(CUSTOMER, answered(60_000))
placed = client.texml.calls.create(CONNECTION, from_=CALLER, to=CUSTOMER, url=f"{HOOK}/texml")
check("texml create", placed.status == "queued" and placed.call_sid and placed.to == CUSTOMER, placed)
_, headers, body = next_hook(lambda path, _: path.startswith("/texml"))
check("texml: instructions are fetched", "CallStatus=in-progress" in body, body)
calls = client.texml.accounts.calls
ended = eventually(lambda: (one := calls.retrieve(placed.call_sid, account_sid=account)).status == "completed" and one)
check("texml retrieve", ended and ended.direction == "outbound" and ended.from_ == CALLER, ended)
inline = "<Response><Pause length=\"3600\"/></Response>"
made = calls.calls(account, body={"ApplicationSid": CONNECTION, "From": CALLER, "To": CUSTOMER, "Texml": inline,
                                  "StatusCallback": f"{HOOK}/status/att_9", "StatusCallbackEvent": "answered completed"})
check("texml accounts calls", made.status == "queued" and made.from_ == CALLER, made)
_, headers, body = next_hook(lambda path, _: path == "/status/att_9")
verify_webhook_signature(body, headers, public)
check("texml status callback: verified", "CallStatus=in-progress" in body and "SequenceNumber=2" in body, body)
listed = calls.retrieve_calls(account, to=CUSTOMER, from_=CALLER, start_time_gt="2020-01-01", page_size=1)
check("texml list", len(listed.calls) == 1 and listed.calls[0].status == "in-progress" and listed.next_page_uri, listed)
changed = calls.update(listed.calls[0].sid, account_sid=account, status="completed")
check("texml update", changed.sid == listed.calls[0].sid, changed)
_, headers, body = next_hook(lambda path, body: path == "/status/att_9" and "CallStatus=completed" in body)
verify_webhook_signature(body, headers, public)
check("texml status callback: ended by us", "HangupSource=caller" in body, body)
try:
    seen = calls.retrieve("v3:nobody", account_sid=account)
except telnyx.NotFoundError as error:
    check("texml: an unknown call", error.body == {"errors": [{"detail": "Resource not found"}]}, error.body)
else:
    check("texml: an unknown call", False, seen)
check("no parameter that the protocol does not have", control("GET", "totals")["unknown_parameters"] == 0)
print("telnyx: the official client agrees")
