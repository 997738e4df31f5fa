#!/usr/bin/env python3
"""Holds the emulator of Retell against Retell's own Python client.

usage: .ci/clients/retell.py <base_url>

Needs what retell.txt pins. Everything goes through the official client, which checks each answer
against its own types; webhooks are received here and verified with the client's own verifier.
Says a line for each check, and stops at the first disagreement.
"""

import json
import os
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import get_args

# Python looks for modules beside a script first, and there this file would be taken for the client.
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != HERE]

import httpx
import retell
from retell import Retell
from retell.lib.webhook_auth import symmetric
from retell.types import PhoneCallResponse

OURS, CUSTOMER, OTHER = "+14155550100", "+14155550123", "+14155550188"
REST_KEY, WEBHOOK_KEY = "key_rest", "key_webhook"
PATIENCE_S = 20
ALL_EVENTS = [
    "call_started", "call_ended", "call_analyzed", "transcript_updated",
    "transfer_started", "transfer_bridged", "transfer_cancelled", "transfer_ended",
]


class Disagreement(Exception):
    """The emulator and the official client do not agree."""


def agree(holds, what):
    if not holds:
        raise Disagreement(what)


def same(found, expected, what):
    agree(found == expected, f"{what}: expected {expected!r}, found {found!r}")


class Receiver:
    """Webhooks as they come: path, body and signature."""

    def __init__(self):
        self.inbox = queue.Queue()
        inbox = self.inbox

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                inbox.put((self.path, body, self.headers.get("x-retell-signature")))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        try:
            return self.inbox.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise Disagreement(f"no webhook came within {PATIENCE_S} s") from None


class World:
    """The emulator, its levers, and the official client."""

    def __init__(self, base_url):
        self.base_url = base_url.rstrip("/")
        self.receiver = Receiver()
        self.client = self.bearing(REST_KEY)
        self.levers = httpx.Client(base_url=f"{self.base_url}/_emulator", trust_env=False, timeout=PATIENCE_S)

    def bearing(self, key):
        plain = httpx.Client(trust_env=False)
        return Retell(api_key=key, base_url=self.base_url, http_client=plain, timeout=PATIENCE_S,
                      max_retries=0, _strict_response_validation=True)

    def lever(self, method, path, body=None):
        answer = self.levers.request(method, path, json=body)
        agree(answer.is_success, f"{method} /_emulator{path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def configure(self, **changes):
        self.lever("PATCH", "/config", changes)

    def script(self, number, *scenarios):
        self.lever("POST", "/scripts", {"number": number, "scenarios": list(scenarios)})

    def totals(self):
        return self.lever("GET", "/totals")

    def dial(self, **more):
        return self.client.call.create_phone_call(**{"from_number": OURS, "to_number": CUSTOMER, **more})

    def when(self, call_id, holds, what):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            call = self.client.call.retrieve(call_id)
            if holds(call):
                return call
            time.sleep(0.01)
        raise Disagreement(f"{call_id} is not {what} within {PATIENCE_S} s: {call}")

    def analysed(self, call_id):
        return self.when(call_id, lambda call: call.call_analysis is not None, "analysed")

    def hear(self, event):
        """The next webhook, which must be this one and pass the official verifier."""
        path, body, signature = self.receiver.next()
        told = json.loads(body)
        same(told["event"], event, "event of the webhook")
        agree(signature, f"{event} is not signed")
        agree(self.client.verify(body.decode(), WEBHOOK_KEY, signature), f"{event} does not verify: {signature}")
        longer = self.client.verify(body.decode() + " ", WEBHOOK_KEY, signature)
        agree(not longer, f"{event} verifies with another body")
        agree(not self.client.verify(body.decode(), REST_KEY, signature), f"{event} verifies with the REST key")
        return told["call"], told, path


def refused(status, kind, attempt):
    """The attempt must fail as the client's exception of this status."""
    try:
        attempt()
    except retell.APIStatusError as error:
        same(error.status_code, status, "status of the refusal")
        agree(isinstance(error, kind), f"{status} is {type(error).__name__} to the client, not {kind.__name__}")
        same(error.body["status"], "error", "status in the error's body")
        agree(isinstance(error.body["message"], str), f"the error says nothing: {error.body}")
        return error
    raise Disagreement(f"accepted, though {status} was due")


ANSWERED = {"outcome": {"answered": {"talk_ms": 30000}}}
ENDLESS = {"outcome": {"answered": {"talk_ms": 3600000}}, "ring_ms": 0}
BUSY = {"outcome": "busy"}


def created(world):
    """a call is created with metadata, variables, headers and an agent of its own"""
    call = world.dial(
        metadata={"attempt_id": "att_1", "campaign_id": "c"},
        retell_llm_dynamic_variables={"name": "José ☎"},
        custom_sip_headers={"X-Lead": "7"},
        override_agent_id="agent_b",
        override_agent_version=2,
        honor_internal_dnc=True,
        agent_override={"agent": {"ring_duration_ms": 20000, "max_call_duration_ms": 60000}},
        idempotency_key="created",
    )
    same(call.call_type, "phone_call", "call_type")
    same(call.call_status, "registered", "call_status")
    same((call.direction, call.from_number, call.to_number), ("outbound", OURS, CUSTOMER), "the line")
    same((call.agent_id, call.agent_version), ("agent_b", 2), "the agent")
    same(call.metadata, {"attempt_id": "att_1", "campaign_id": "c"}, "metadata")
    same(call.retell_llm_dynamic_variables, {"name": "José ☎"}, "dynamic variables")
    agree("end_timestamp" not in call.to_dict(), "what is not known yet must be absent")


def created_with_201(world):
    """creation is answered with 201"""
    raw = world.client.call.with_raw_response.create_phone_call(from_number=OURS, to_number=CUSTOMER)
    same(raw.http_response.status_code, 201, "status")


def replayed(world):
    """a repeated idempotency key is the first call, and rings once"""
    before = world.totals()["accepted"]
    ids = {world.dial(idempotency_key="again", metadata={"attempt_id": "again"}).call_id for _ in range(3)}
    same(len(ids), 1, "calls under one key")
    same(world.totals()["accepted"] - before, 1, "phones that rang")
    refused(400, retell.BadRequestError, lambda: world.dial(idempotency_key="again", metadata={"attempt_id": "b"}))


def repeated_after_loss(world):
    """a request whose answer was lost finds its call again"""
    world.script(CUSTOMER, {**BUSY, "quirks": ["accept_then_drop"]})
    try:
        world.dial(idempotency_key="lost")
        raise Disagreement("an answer came from a connection that was to be cut")
    except retell.APIConnectionError:
        pass
    call = world.dial(idempotency_key="lost")
    rung = world.lever("GET", "/dials?key=lost")
    same([dial["call_id"] for dial in rung["timeline"]], [call.call_id], "calls under the key")


def retrieved(world):
    """an answered call is read back whole"""
    world.script(CUSTOMER, {**ANSWERED, "results": {
        "transcript": [{"role": "agent", "content": "Hello."}, {"role": "user", "content": "Yes, call me at noon."}],
        "collected_dynamic_variables": {"when": "noon"},
        "analysis": {"user_sentiment": "Positive", "custom_analysis_data": {"interest": 8}},
    }})
    call = world.analysed(world.dial(metadata={"attempt_id": "read"}).call_id)
    same((call.call_status, call.disconnection_reason), ("ended", "user_hangup"), "the end")
    same(call.duration_ms, 30000, "duration_ms")
    same(call.transcript, "Agent: Hello.\nUser: Yes, call me at noon.\n", "transcript")
    same([turn.role for turn in call.transcript_object], ["agent", "user"], "transcript_object")
    same(len(call.transcript_with_tool_calls), 2, "transcript_with_tool_calls")
    agree(call.recording_url.startswith("https://"), "recording_url")
    same(call.call_cost.total_duration_seconds, 30, "total_duration_seconds")
    agree(call.call_cost.combined_cost > 0 and call.call_cost.product_costs, "call_cost")
    same(call.call_analysis.user_sentiment, "Positive", "user_sentiment")
    same(call.call_analysis.custom_analysis_data, {"interest": 8}, "custom_analysis_data")
    same(call.collected_dynamic_variables, {"when": "noon"}, "collected_dynamic_variables")
    agree(call.latency.e2e.p50 > 0, "latency")
    agree(call.telephony_identifier.twilio_call_sid.startswith("CA"), "telephony_identifier")
    agree(call.start_timestamp <= call.end_timestamp, "timestamps")


def outcomes(world):
    """every way a call can end is one the client knows"""
    reasons = typed_reasons()
    agree(len(reasons) == 39, f"the client knows {len(reasons)} reasons, not 39")
    unconnected = [reason for reason in reasons if reason.startswith(("dial_", "telephony_", "sip_")) or reason in
                   ("invalid_destination", "marked_as_spam", "network_blocked", "user_declined")]
    for reason in reasons:
        outcome = {"unconnected": reason} if reason in unconnected else {"answered": {"talk_ms": 5000, "end": reason}}
        world.script(OTHER, {"outcome": outcome, "ring_ms": 100, "results": {"analyzed_after_ms": 100}})
        call = world.analysed(world.dial(to_number=OTHER).call_id)
        same(call.disconnection_reason, reason, "disconnection_reason")
        agree(call.call_status in ("ended", "not_connected", "error"), f"{reason}: {call.call_status}")
        if reason in unconnected:
            same(call.call_status, "not_connected", reason)
        same(call.call_analysis.in_voicemail, reason == "voicemail_reached", "in_voicemail")


def typed_reasons():
    """The reasons in the client's own type."""
    (literal, _) = get_args(PhoneCallResponse.model_fields["disconnection_reason"].annotation)
    return get_args(literal)


def listed(world):
    """the newer list finds calls by every kind of filter, in pages, without transcripts"""
    for n in range(3):
        world.script(CUSTOMER, ANSWERED if n == 0 else BUSY)
        call = world.dial(metadata={"attempt_id": f"list_{n}", "lot": "list", "n": n})
        world.analysed(call.call_id)
    lot = {"type": "string", "op": "eq", "key": "lot", "value": "list"}

    def found(**criteria):
        given = criteria.pop("metadata", [])
        page = world.client.call.list(filter_criteria={"metadata": [lot, *given], **criteria}, sort_order="ascending")
        return [call.metadata["n"] for call in page.items]

    string = lambda op, value: {"type": "string", "op": op, "value": value}
    enum = lambda *words: {"type": "enum", "op": "in", "value": list(words)}
    now = int(time.time() * 1000)
    for expected, criteria in [
        ([0, 1, 2], {}),
        ([1], {"metadata": [{"type": "string", "op": "eq", "key": "attempt_id", "value": "list_1"}]}),
        ([1, 2], {"metadata": [{"type": "number", "op": "ge", "key": "n", "value": 1}]}),
        ([0, 1], {"metadata": [{"type": "range", "op": "bt", "key": "n", "value": [0, 1]}]}),
        ([], {"metadata": [{"type": "present", "op": "np", "key": "attempt_id"}]}),
        ([2], {"metadata": [{"type": "enum", "op": "in", "key": "attempt_id", "value": ["list_2"]}]}),
        ([0, 1, 2], {"to_number": string("eq", CUSTOMER), "direction": enum("outbound")}),
        ([0, 1, 2], {"call_type": enum("phone_call"), "data_storage_setting": enum("everything")}),
        ([], {"from_number": string("ne", OURS)}),
        ([0], {"call_status": enum("ended")}),
        ([1, 2], {"disconnection_reason": enum("dial_busy")}),
        ([0], {"start_timestamp": {"type": "range", "op": "bt", "value": [now - 3_600_000, now + 3_600_000]}}),
        ([0], {"duration_ms": {"type": "number", "op": "gt", "value": 1000}}),
        ([0], {"call_successful": {"type": "boolean", "op": "eq", "value": True}}),
        ([0, 1, 2], {"agent": [{"agent_id": "agent_default"}]}),
    ]:
        same(found(**criteria), expected, f"found by {criteria}")
    first = world.client.call.list(filter_criteria={"metadata": [lot]}, limit=2, include_total=True)
    same((first.has_more, first.total, len(first.items)), (True, 3, 2), "the first page")
    second = world.client.call.list(filter_criteria={"metadata": [lot]}, limit=2, pagination_key=first.pagination_key)
    same((second.has_more, [call.metadata["n"] for call in second.items]), (False, [0]), "the second page")
    skipped = world.client.call.list(filter_criteria={"metadata": [lot]}, skip=2)
    same(len(skipped.items), 1, "what is left of three after two are skipped")
    agree("transcript" not in second.items[0].to_dict(), "a list must not hold transcripts")
    registered = {"call_status": enum("registered")}
    refused(400, retell.BadRequestError, lambda: world.client.call.list(filter_criteria=registered))


def listed_the_old_way(world):
    """the older list is a bare array, filtered by dotted metadata"""
    body = {"filter_criteria": {"metadata.attempt_id": ["list_0"]}, "limit": 10, "sort_order": "descending"}
    calls = world.client.post("/v2/list-calls", cast_to=object, body=body)
    agree(isinstance(calls, list), f"not an array: {calls}")
    same([call["metadata"]["n"] for call in calls], [0], "found")
    agree(calls[0]["transcript"], "the older list holds transcripts")


def concurrency(world):
    """concurrency follows the calls under way, and one that is ongoing can be stopped"""
    world.script(CUSTOMER, ENDLESS)
    before = world.client.concurrency.retrieve()
    same(before.concurrency_limit, before.base_concurrency + before.purchased_concurrency, "concurrency_limit")
    call = world.dial()
    world.when(call.call_id, lambda call: call.call_status == "ongoing", "ongoing")
    during = world.client.concurrency.retrieve()
    same(during.current_concurrency - before.current_concurrency, 1, "calls under way")
    same(world.client.call.stop(call.call_id), None, "answer to stop-call")
    ended = world.analysed(call.call_id)
    same((ended.call_status, ended.disconnection_reason), ("ended", "manual_stopped"), "the end")
    same(world.client.concurrency.retrieve().current_concurrency, before.current_concurrency, "calls afterwards")
    refused(400, retell.BadRequestError, lambda: world.client.call.stop(call.call_id))


def updated_and_deleted(world):
    """a call can be updated live and afterwards, and its record deleted"""
    world.script(CUSTOMER, ENDLESS)
    call = world.dial(metadata={"a": 1})
    world.when(call.call_id, lambda call: call.call_status == "ongoing", "ongoing")
    live = world.client.call.update_live(
        call.call_id, fields_to_override={"metadata": {"a": 2}}, call_control={"trigger_response": True})
    same(live.success, True, "answer to update-live-call")
    same(world.client.call.retrieve(call.call_id).metadata, {"a": 2}, "metadata")
    world.client.call.stop(call.call_id)
    world.analysed(call.call_id)
    updated = world.client.call.update(
        call.call_id, metadata={"a": 3}, data_storage_setting="everything_except_pii", custom_attributes={"x": "y"})
    same((updated.metadata, updated.data_storage_setting), ({"a": 3}, "everything_except_pii"), "the update")
    laxer = lambda: world.client.call.update(call.call_id, data_storage_setting="everything")
    refused(400, retell.BadRequestError, laxer)
    same(world.client.call.delete(call.call_id), None, "answer to delete-call")
    refused(422, retell.UnprocessableEntityError, lambda: world.client.call.retrieve(call.call_id))


def told(world):
    """webhooks of an answered call come in order and pass the official verifier"""
    world.configure(webhooks={"url": world.receiver.url + "/workspace"})
    world.script(CUSTOMER, ANSWERED)
    call = world.dial(metadata={"attempt_id": "told", "name": "José ☎"})
    for event in ("call_started", "call_ended", "call_analyzed"):
        shown, _, path = world.hear(event)
        same((shown["call_id"], shown["metadata"]["attempt_id"]), (call.call_id, "told"), "whom it is about")
        same(path, "/workspace", "where it goes")
        agree(("call_analysis" in shown) == (event == "call_analyzed"), f"call_analysis in {event}")
        agree(("end_timestamp" in shown) == (event != "call_started"), f"end_timestamp in {event}")
        PhoneCallResponse.model_validate(shown)


def unconnected_told(world):
    """a call that is not connected has no call_started"""
    world.script(CUSTOMER, BUSY)
    world.dial()
    shown, _, _ = world.hear("call_ended")
    same((shown["call_status"], shown["disconnection_reason"]), ("not_connected", "dial_busy"), "the end")
    world.hear("call_analyzed")


def told_elsewhere(world):
    """one call may have its own webhook and events, transfers and transcripts among them"""
    transfer = {"to": "+14155550177", "bridged": True, "lasts_ms": 6000}
    world.script(CUSTOMER, {"outcome": {"answered": {"talk_ms": 20000, "end": "call_transfer"}}, "transfer": transfer})
    events = [event for event in ALL_EVENTS if event != "transcript_updated"]
    url = world.receiver.url + "/one/att_9"
    world.dial(agent_override={"agent": {"webhook_url": url, "webhook_events": events, "webhook_timeout_ms": 5000}})
    for event in ("call_started", "transfer_started", "transfer_bridged", "call_ended", "call_analyzed",
                  "transfer_ended"):
        _, body, path = world.hear(event)
        same(path, "/one/att_9", "where it goes")
        if event.startswith(("transfer_s", "transfer_b")):
            same(body["transfer_destination"], "+14155550177", "transfer_destination")
    world.script(CUSTOMER, ANSWERED)
    world.dial(agent_override={"agent": {"webhook_url": url, "webhook_events": ["transcript_updated"]}})
    turns = [len(world.hear("transcript_updated")[0]["transcript_object"]) for _ in range(3)]
    same(turns, [1, 2, 3], "turns told of")


def forged(world):
    """forged, stale and unsigned webhooks fail the official verifier, and a replay passes it"""
    only_end = {"agent": {"webhook_events": ["call_ended"]}}
    for forgery in ("wrong_key", "stale", "missing", "replayed"):
        world.script(CUSTOMER, {**BUSY, "quirks": [{"forged": forgery}]})
        world.dial(agent_override=only_end)
        _, body, signature = first = world.receiver.next()
        if forgery == "missing":
            same(signature, None, "the signature")
            continue
        verified = world.client.verify(body.decode(), WEBHOOK_KEY, signature)
        same(verified, forgery == "replayed", f"whether {forgery} verifies")
        if forgery == "stale":
            lenient = symmetric["verify"](body.decode(), WEBHOOK_KEY, signature, {"timeout": 3_600_000})
            agree(lenient, "stale must be wrong by its age alone")
        if forgery == "replayed":
            same(world.receiver.next(), first, "the replay")


def refusals(world):
    """refusals are the client's own exceptions, in the documented envelope"""
    dial, configure = world.dial, world.configure
    stranger = world.bearing("key_wrong")
    dialled = {"from_number": OURS, "to_number": CUSTOMER}
    refused(401, retell.AuthenticationError, lambda: stranger.call.create_phone_call(**dialled))
    refused(400, retell.BadRequestError, lambda: dial(to_number="4155550123"))
    refused(400, retell.BadRequestError, lambda: dial(retell_llm_dynamic_variables={"age": 7}))
    refused(400, retell.BadRequestError, lambda: dial(agent_override={"agent": {"ring_duration_ms": 1}}))
    refused(422, retell.UnprocessableEntityError, lambda: world.client.call.retrieve("call_nobody"))
    configure(from_numbers=["+14155550111"])
    refused(422, retell.UnprocessableEntityError, dial)
    configure(from_numbers=[], agents={"agent_default": {}, "agent_b": {}})
    refused(422, retell.UnprocessableEntityError, lambda: dial(override_agent_id="agent_nobody"))
    configure(account_fault="payment_needed")
    refused(402, retell.APIStatusError, dial)
    configure(account_fault="forbidden")
    refused(403, retell.PermissionDeniedError, dial)
    configure(account_fault="throttled", limits={"retry_after": True})
    error = refused(429, retell.RateLimitError, dial)
    same(error.response.headers["retry-after"], "1", "Retry-After")
    configure(account_fault="broken")
    refused(500, retell.InternalServerError, dial)
    configure(account_fault=None, do_not_call=[CUSTOMER])
    refused(400, retell.BadRequestError, lambda: dial(honor_internal_dnc=True))


def over_limit(world):
    """a call over the limit is refused, or accepted and ended with concurrency_limit_reached"""
    world.configure(limits={"base_concurrency": 0})
    refused(429, retell.RateLimitError, world.dial)
    world.configure(limits={"over_concurrency": "accepted"})
    ended = world.analysed(world.dial().call_id)
    same((ended.call_status, ended.disconnection_reason), ("error", "concurrency_limit_reached"), "the end")


CHECKS = [
    created, created_with_201, replayed, repeated_after_loss, retrieved, outcomes, listed,
    listed_the_old_way, concurrency, updated_and_deleted, told, unconnected_told, told_elsewhere, forged, refusals, over_limit,
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    step = "the beginning"
    try:
        world = World(sys.argv[1])
        same(world.lever("GET", "/health"), {"emulates": "retell"}, "what runs there")
        before = world.lever("GET", "/config")
        world.lever("POST", "/reset")
        # A lost key would show as a second call: it is to be remembered however slow this machine is.
        world.configure(speed=200.0, keys={"rest": REST_KEY, "webhook": WEBHOOK_KEY},
                        idempotency={"window_ms": 10**10}, limits={"base_concurrency": 100})
        for check in CHECKS:
            step = check.__name__
            check(world)
            print(f"ok: {check.__doc__}", flush=True)
        world.configure(**before)
    except (Disagreement, retell.RetellError, httpx.HTTPError) as error:
        sys.exit(f"DISAGREEMENT in {step}: {type(error).__name__}: {error}")
    print(f"the emulator and retell-sdk {retell.__version__} agree: {len(CHECKS)} checks")


if __name__ == "__main__":
    main()
