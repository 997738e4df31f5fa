#!/usr/bin/env python3
"""Tries the LiveKit emulator with LiveKit's own Python client, which speaks protobuf.

    livekit.py <base URL of a running emulator>

Needs what livekit.txt lists. Changes the emulator's settings and forgets its calls. Prints a line for
each check, and ends with the first that fails.
"""

import asyncio
import http.server
import json
import queue
import sys
import threading
import urllib.request

# This file's own folder comes first there, and this file is not the package of the same name.
sys.path.pop(0)

from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol import models
from livekit.protocol.sip import SIPMediaConfig

KEY, SECRET = "APIkey1", "secret1-of-at-least-32-characters"
TRUNK, CALLEE, AGENT = "ST_trunk1", "+15550123", "caller"


def check(what, holds, seen=None):
    """Prints what was found to hold, or ends."""
    if not holds:
        sys.exit(f"livekit: {what}: NO, but {seen!r}")
    print(f"livekit: {what}")


class Desk:
    """A web server that puts whatever it is sent into a queue."""

    def __init__(self):
        self.received = received = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                received.put((self.path, self.headers, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"

    def next(self):
        try:
            return self.received.get(timeout=20)
        except queue.Empty:
            sys.exit("livekit: nothing came within 20 s")


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

    def script(self, *scenarios):
        self("POST", "scripts", {"number": CALLEE, "scenarios": list(scenarios)})

    def call(self, call_id):
        return next(call for call in self("GET", "calls") if call["sip_call_id"] == call_id)


async def refused(doing):
    """The error that a request ends with."""
    try:
        answer = await doing
    except api.ServerError as error:
        return error
    sys.exit(f"livekit: a refusal was expected, not {answer!r}")


async def eventually(what, look):
    """Looks again until it holds, for 20 s at most."""
    for _ in range(400):
        if await look():
            return check(what, True)
        await asyncio.sleep(0.05)
    check(what, False, "it did not happen within 20 s")


def dial(room, **more):
    fields = dict(sip_trunk_id=TRUNK, sip_call_to=CALLEE, room_name=room, participant_identity="callee")
    return api.CreateSIPParticipantRequest(**{**fields, **more})


async def rooms(lk):
    made = await lk.room.create_room(
        api.CreateRoomRequest(name="r1", empty_timeout=3600, metadata="m", max_participants=4)
    )
    check("a room is created", made.name == "r1" and made.sid.startswith("RM_") and made.empty_timeout == 3600, made)
    again = await lk.room.create_room(api.CreateRoomRequest(name="r1"))
    check("creating it again shows the same", again == made, again)
    listed = await lk.room.list_rooms(api.ListRoomsRequest(names=["r1"]))
    check("it is listed", list(listed.rooms) == [made], listed)
    changed = await lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room="r1", metadata="n"))
    check("its metadata is changed", changed.metadata == "n", changed)
    await lk.room.send_data(api.SendDataRequest(room="r1", data=b"\x00\xff", nonce=b"0123456789abcdef"))
    check("data is sent", True)
    nobody = await lk.room.list_participants(api.ListParticipantsRequest(room="nowhere"))
    check("nobody is in an unknown room", len(nobody.participants) == 0, nobody)
    await lk.room.delete_room(api.DeleteRoomRequest(room="r1"))
    check("it is deleted", not (await lk.room.list_rooms(api.ListRoomsRequest())).rooms)
    error = await refused(lk.room.delete_room(api.DeleteRoomRequest(room="r1")))
    check("a second time it is not found", (error.status, error.code) == (404, "not_found"), error)


async def trunks(lk):
    page = api.ListSIPOutboundTrunkRequest()
    items = (await lk.sip.list_outbound_trunk(page)).items
    known = [(item.sip_trunk_id, list(item.numbers)) for item in items]
    check("trunks are listed", known == [(TRUNK, ["+15550100"])], items)


async def calls(lk, control):
    control.script({"outcome": {"answered": {"talk_ms": 3_600_000}}})
    request = dial(
        "r2",
        participant_name="Bob",
        participant_metadata="m",
        participant_attributes={"campaign": "c1"},
        ringing_timeout=Duration(seconds=25),
        max_call_duration=Duration(seconds=600),
        krisp_enabled=True,
        headers={"X-Campaign": "c1"},
        display_name="",
        media=SIPMediaConfig(media_timeout=Duration(seconds=5)),
    )
    info = await lk.sip.create_sip_participant(request)
    good = info.room_name == "r2" and info.participant_identity == "callee"
    check("a dial is accepted", good and info.sip_call_id.startswith("SCL_"), info)
    check("an empty display name and durations are understood", control("GET", "totals")["unknown_parameters"] == 0)
    who = api.RoomParticipantIdentity(room="r2", identity="callee")

    async def active():
        one = await lk.room.get_participant(who)
        return one.attributes["sip.callStatus"] == "active"

    await eventually("the participant's status becomes active", active)
    one = await lk.room.get_participant(who)
    kind = models.ParticipantInfo.Kind.SIP
    check("it is a SIP participant", one.kind == kind and one.sid == info.participant_id, one)
    check("its attributes name call and trunk", one.attributes["sip.callID"] == info.sip_call_id
          and one.attributes["sip.trunkID"] == TRUNK and one.attributes["campaign"] == "c1", one)
    present = (await lk.room.list_participants(api.ListParticipantsRequest(room="r2"))).participants
    check("it is listed in its room", [one.identity for one in present] == ["callee"], present)
    update = api.UpdateParticipantRequest(room="r2", identity="callee", attributes={"note": "x"})
    changed = await lk.room.update_participant(update)
    check("it is updated", changed.attributes["note"] == "x", changed)
    await lk.room.remove_participant(who)
    check("it is removed", True)

    async def over():
        return control.call(info.sip_call_id)["disconnect_reason"] == "PARTICIPANT_REMOVED"

    await eventually("which hangs up", over)
    error = await refused(lk.room.get_participant(who))
    check("then it is not found", (error.status, error.code) == (404, "not_found"), error)


async def waiting(lk, control):
    control.script({"outcome": {"answered": {"talk_ms": 3_600_000}}})
    info = await lk.sip.create_sip_participant(dial("r3", wait_until_answered=True))
    check("a dial that waits is answered with the phone", control.call(info.sip_call_id)["answered_at"] is not None)
    for outcome, code, sip in [
        ("busy", "failed_precondition", 486),
        ("no_answer", "failed_precondition", 480),
        ("rejected", "permission_denied", 603),
        ("invalid_number", "not_found", 404),
        ("failed", "failed_precondition", 503),
    ]:
        control.script({"outcome": outcome})
        error = await refused(lk.sip.create_sip_participant(dial(f"r-{outcome}", wait_until_answered=True)))
        good = isinstance(error, api.SipCallError) and (error.code, error.sip_status_code) == (code, sip)
        check(f"{outcome}: {error}", good, error)
    control.script({"outcome": "no_answer", "ring_ms": 600_000})
    request = dial("r-late", wait_until_answered=True, ringing_timeout=Duration(seconds=5))
    error = await refused(lk.sip.create_sip_participant(request))
    check("a ringing timeout is canceled without a SIP status", error.code == "canceled" and not error.metadata, error)
    for name, request, code in [
        ("no callee", dial("r4", sip_call_to=""), "invalid_argument"),
        ("a SIP URI", dial("r4", sip_call_to="sip:a@b"), "invalid_argument"),
        ("no room", dial(""), "invalid_argument"),
        ("an unknown trunk", dial("r4", sip_trunk_id="ST_other"), "not_found"),
    ]:
        error = await refused(lk.sip.create_sip_participant(request))
        check(f"{name} is refused: {error.message}", error.code == code, error)


async def transfers(lk, control):
    status = {"code": 603, "reason": "Decline"}
    control.script({"outcome": {"answered": {"talk_ms": 3_600_000}}, "transfer": {"rejected": status}})
    await lk.sip.create_sip_participant(dial("r5", wait_until_answered=True))
    request = api.TransferSIPParticipantRequest(
        room_name="r5", participant_identity="callee", transfer_to="tel:+15550199", play_dialtone=True
    )
    error = await refused(lk.sip.transfer_sip_participant(request))
    good = isinstance(error, api.SipCallError) and error.sip_transfer_reason == "STR_REJECTED"
    check(f"a transfer may be rejected: {error}", good and error.sip_status_code == 603, error)
    control.script({"outcome": {"answered": {"talk_ms": 3_600_000}}})
    info = await lk.sip.create_sip_participant(dial("r6", wait_until_answered=True))
    request.room_name = "r6"
    await lk.sip.transfer_sip_participant(request)

    async def over():
        return control.call(info.sip_call_id)["disconnect_reason"] == "CLIENT_INITIATED"

    await eventually("a transfer takes the callee out of the room", over)
    request.transfer_to = "+15550199"
    error = await refused(lk.sip.transfer_sip_participant(request))
    check("it goes to a URI only", error.code == "invalid_argument", error)


async def agents(lk, control, reports):
    waits = api.CreateAgentDispatchRequest(agent_name="stranger", room="r7", metadata="x")
    waits = await lk.agent_dispatch.create_dispatch(waits)
    check("a dispatch to an unknown agent waits", waits.id.startswith("AD_") and not waits.state.jobs, waits)
    metadata = json.dumps({"report": {"url": reports.url, "token": "t1"}})
    wanted = api.CreateAgentDispatchRequest(agent_name=AGENT, room="r7", metadata=metadata)
    made = await lk.agent_dispatch.create_dispatch(wanted)
    check("an agent is dispatched", made.state.jobs[0].agent_name == AGENT, made)
    listed = await lk.agent_dispatch.list_dispatch("r7")
    check("dispatches are listed", [one.id for one in listed] == [waits.id, made.id], listed)
    one = await lk.agent_dispatch.get_dispatch(made.id, "r7")
    check("one of them is shown", one.id == made.id and one.metadata == metadata, one)
    gone = await lk.agent_dispatch.delete_dispatch(waits.id, "r7")
    check("one of them is taken back", gone.id == waits.id and gone.state.deleted_at > 0, gone)

    async def there():
        present = await lk.room.list_participants(api.ListParticipantsRequest(room="r7"))
        return [one.kind for one in present.participants] == [models.ParticipantInfo.Kind.AGENT]

    await eventually("the agent joins", there)
    control.script({"outcome": {"answered": {"talk_ms": 60_000}}})
    await lk.sip.create_sip_participant(dial("r7"))
    taken = [reports.next() for _ in range(5)]
    check("it reports four turns and a result", [path for path, *_ in taken] == ["/turns"] * 4 + ["/result"], taken)
    check("with its token", all(headers["Authorization"] == "Bearer t1" for _, headers, _ in taken), taken)


def webhooks(desk):
    """Verifies what has come for the call with an agent."""
    receiver = api.WebhookReceiver(api.TokenVerifier(KEY, SECRET))
    told = []
    while True:
        _, headers, body = desk.next()
        event = receiver.receive(body, headers["Authorization"])
        check_one = headers["Content-Type"] == "application/webhook+json" and event.id.startswith("EV_")
        if not check_one:
            check("a webhook has its content type and id", False, (headers, body))
        if event.room.name == "r7":
            told.append(event)
            if event.event == "room_finished":
                break
    names = [event.event for event in told]
    check("webhooks are signed as the official receiver demands", True)
    check("the room's come in order", names[0] == "room_started" and names[-1] == "room_finished"
          and names.index("agent_job_started") < names.index("agent_job_ended"), names)
    left = [event.participant for event in told if event.event == "participant_left"]
    kinds = [models.ParticipantInfo.Kind.SIP, models.ParticipantInfo.Kind.AGENT]
    check("the callee leaves first", [one.kind for one in left] == kinds, left)
    check("with the reason", left[0].disconnect_reason == models.DisconnectReason.CLIENT_INITIATED
          and left[0].attributes["sip.callStatus"] == "hangup", left)


def forgeries(desk, control, lk_dial):
    receiver = api.WebhookReceiver(api.TokenVerifier(KEY, SECRET))
    for forgery in ["wrong_key", "missing", "stale"]:
        room = f"r-{forgery}"
        control.script({"outcome": "busy", "quirks": [{"forged": forgery}]})
        yield lk_dial(dial(room))
        while True:
            _, headers, body = desk.next()
            if json.loads(body)["room"]["name"] != room:
                continue
            try:
                receiver.receive(body, headers.get("Authorization", ""))
            except Exception as error:  # The official receiver has no errors of its own.
                check(f"a webhook with a signature that is {forgery} is refused: {type(error).__name__}", True)
                break
            check(f"a webhook with a signature that is {forgery} is refused", False, body)


async def keys(base):
    stranger = api.LiveKitAPI(base, "APIstranger", SECRET)
    error = await refused(stranger.room.list_rooms(api.ListRoomsRequest()))
    check("an unknown key is refused", error.status == 401, error)
    await stranger.aclose()
    wrong = api.LiveKitAPI(base, KEY, "wrong secret of more than thirty-two")
    error = await refused(wrong.sip.create_sip_participant(dial("r8")))
    check("a wrong secret is refused", error.status == 401, error)
    await wrong.aclose()
    token = api.AccessToken(KEY, SECRET).with_identity("supervisor")
    token = token.with_grants(api.VideoGrants(room_join=True, room="r8", can_publish=False, hidden=True))
    other = api.LiveKitAPI.with_token(token.to_jwt(), base)
    error = await refused(other.room.list_participants(api.ListParticipantsRequest(room="r8")))
    check("a token without the grant is denied", (error.status, error.code) == (401, "unauthenticated"), error)
    await other.aclose()


async def main(base):
    control, told, reports = Control(base), Desk(), Desk()
    control("POST", "reset")
    control("PATCH", "config", {"speed": 100.0, "agents": [AGENT], "webhooks": {"urls": [told.url]}})
    lk = api.LiveKitAPI(base, KEY, SECRET)
    try:
        await rooms(lk)
        await trunks(lk)
        await calls(lk, control)
        await waiting(lk, control)
        await transfers(lk, control)
        await agents(lk, control, reports)
        await asyncio.to_thread(webhooks, told)
        for dialling in forgeries(told, control, lk.sip.create_sip_participant):
            await dialling
        await keys(base)
    finally:
        await lk.aclose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
