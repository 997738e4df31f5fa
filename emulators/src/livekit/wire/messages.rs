//! Every message that is spoken here, by the field numbers of LiveKit's protobuf files. Fields that
//! no client of an outbound call sends or reads (egress, codecs of video) are left out.

use super::{Message, Names, bytes, choice, duration, flag, long, map, nested, text, whole};

const RESTART_POLICY: Names = &[("JRP_ON_FAILURE", 0), ("JRP_NEVER", 1)];

const TRANSPORT: Names = &[
    ("SIP_TRANSPORT_AUTO", 0),
    ("SIP_TRANSPORT_UDP", 1),
    ("SIP_TRANSPORT_TCP", 2),
    ("SIP_TRANSPORT_TLS", 3),
];

const HEADER_OPTIONS: Names = &[("SIP_NO_HEADERS", 0), ("SIP_X_HEADERS", 1), ("SIP_ALL_HEADERS", 2)];

const MEDIA_ENCRYPTION: Names =
    &[("SIP_MEDIA_ENCRYPT_DISABLE", 0), ("SIP_MEDIA_ENCRYPT_ALLOW", 1), ("SIP_MEDIA_ENCRYPT_REQUIRE", 2)];

const TRACK_SOURCE: Names =
    &[("UNKNOWN", 0), ("CAMERA", 1), ("MICROPHONE", 2), ("SCREEN_SHARE", 3), ("SCREEN_SHARE_AUDIO", 4)];

const TRACK_TYPE: Names = &[("AUDIO", 0), ("VIDEO", 1), ("DATA", 2)];

const DATA_KIND: Names = &[("RELIABLE", 0), ("LOSSY", 1)];

const STATE: Names = &[("JOINING", 0), ("JOINED", 1), ("ACTIVE", 2), ("DISCONNECTED", 3)];

const KIND: Names = &[
    ("STANDARD", 0),
    ("INGRESS", 1),
    ("EGRESS", 2),
    ("SIP", 3),
    ("AGENT", 4),
    ("CONNECTOR", 7),
    ("BRIDGE", 8),
];

const DISCONNECT_REASON: Names = &[
    ("UNKNOWN_REASON", 0),
    ("CLIENT_INITIATED", 1),
    ("DUPLICATE_IDENTITY", 2),
    ("SERVER_SHUTDOWN", 3),
    ("PARTICIPANT_REMOVED", 4),
    ("ROOM_DELETED", 5),
    ("STATE_MISMATCH", 6),
    ("JOIN_FAILURE", 7),
    ("MIGRATION", 8),
    ("SIGNAL_CLOSE", 9),
    ("ROOM_CLOSED", 10),
    ("USER_UNAVAILABLE", 11),
    ("USER_REJECTED", 12),
    ("SIP_TRUNK_FAILURE", 13),
    ("CONNECTION_TIMEOUT", 14),
    ("MEDIA_FAILURE", 15),
    ("AGENT_ERROR", 16),
];

const ROOM_END_REASON: Names = &[
    ("ROOM_END_UNKNOWN", 0),
    ("ROOM_END_API_DELETE", 1),
    ("ROOM_END_IDLE_TIMEOUT", 2),
    ("ROOM_END_SERVER_SHUTDOWN", 3),
    ("ROOM_END_SUPERSEDED", 4),
    ("ROOM_END_OPEN_FAILED", 5),
];

const TRANSFER_STATUS: Names =
    &[("STS_TRANSFER_ONGOING", 0), ("STS_TRANSFER_FAILED", 1), ("STS_TRANSFER_SUCCESSFUL", 2)];

const TRANSFER_REASON: Names = &[
    ("STR_UNSPECIFIED", 0),
    ("STR_COMPLETED", 1),
    ("STR_CALL_ENDED", 2),
    ("STR_REJECTED", 3),
    ("STR_RINGING_TIMEOUT", 4),
    ("STR_SUBSCRIPTION_TERMINATED", 5),
    ("STR_CANCELED", 6),
];

const JOB_TYPE: Names = &[("JT_ROOM", 0), ("JT_PUBLISHER", 1), ("JT_PARTICIPANT", 2)];

const JOB_STATUS: Names =
    &[("JS_PENDING", 0), ("JS_RUNNING", 1), ("JS_SUCCESS", 2), ("JS_FAILED", 3), ("JS_CANCELLED", 4)];

pub(in super::super) const EMPTY: Message = &[];

const ROOM_AGENT: Message = &[
    text(1, "agent_name"),
    text(2, "metadata"),
    choice(3, "restart_policy", RESTART_POLICY),
    text(4, "deployment"),
    map(5, "attributes"),
];

pub(in super::super) const CREATE_ROOM: Message = &[
    text(1, "name"),
    whole(2, "empty_timeout"),
    whole(3, "max_participants"),
    text(4, "node_id"),
    text(5, "metadata"),
    nested(6, "egress", EMPTY),
    whole(7, "min_playout_delay"),
    whole(8, "max_playout_delay"),
    flag(9, "sync_streams"),
    whole(10, "departure_timeout"),
    text(12, "room_preset"),
    flag(13, "replay_enabled"),
    nested(14, "agents", ROOM_AGENT).many(),
    map(15, "tags"),
];

const CODEC: Message = &[text(1, "mime"), text(2, "fmtp_line")];

const VERSION: Message = &[long(1, "unix_micro"), whole(2, "ticks")];

pub(in super::super) const ROOM: Message = &[
    text(1, "sid"),
    text(2, "name"),
    whole(3, "empty_timeout"),
    whole(4, "max_participants"),
    long(5, "creation_time"),
    text(6, "turn_password"),
    nested(7, "enabled_codecs", CODEC).many(),
    text(8, "metadata"),
    whole(9, "num_participants"),
    flag(10, "active_recording"),
    whole(11, "num_publishers"),
    nested(13, "version", VERSION),
    whole(14, "departure_timeout"),
    long(15, "creation_time_ms"),
];

pub(in super::super) const LIST_ROOMS: Message = &[text(1, "names").many()];
pub(in super::super) const ROOMS: Message = &[nested(1, "rooms", ROOM).many()];
pub(in super::super) const DELETE_ROOM: Message = &[text(1, "room")];
pub(in super::super) const UPDATE_ROOM: Message = &[text(1, "room"), text(2, "metadata")];
pub(in super::super) const LIST_PARTICIPANTS: Message = &[text(1, "room")];
pub(in super::super) const PARTICIPANTS: Message = &[nested(1, "participants", PARTICIPANT).many()];

pub(in super::super) const ROOM_PARTICIPANT: Message =
    &[text(1, "room"), text(2, "identity"), long(3, "revoke_token_ts")];

pub(in super::super) const UPDATE_PARTICIPANT: Message = &[
    text(1, "room"),
    text(2, "identity"),
    text(3, "metadata"),
    nested(4, "permission", PERMISSION),
    text(5, "name"),
    map(6, "attributes"),
];

pub(in super::super) const SEND_DATA: Message = &[
    text(1, "room"),
    bytes(2, "data"),
    choice(3, "kind", DATA_KIND),
    text(4, "destination_sids").many(),
    text(5, "topic").optional(),
    text(6, "destination_identities").many(),
    bytes(7, "nonce"),
];

pub(in super::super) const PERMISSION: Message = &[
    flag(1, "can_subscribe"),
    flag(2, "can_publish"),
    flag(3, "can_publish_data"),
    flag(7, "hidden"),
    flag(8, "recorder"),
    choice(9, "can_publish_sources", TRACK_SOURCE).many(),
    flag(10, "can_update_metadata"),
    flag(11, "agent"),
    flag(12, "can_subscribe_metrics"),
    flag(13, "can_manage_agent_session"),
];

const TRACK: Message = &[
    text(1, "sid"),
    choice(2, "type", TRACK_TYPE),
    text(3, "name"),
    flag(4, "muted"),
    choice(9, "source", TRACK_SOURCE),
    text(11, "mime_type"),
    text(12, "mid"),
    text(17, "stream"),
];

pub(in super::super) const PARTICIPANT: Message = &[
    text(1, "sid"),
    text(2, "identity"),
    choice(3, "state", STATE),
    nested(4, "tracks", TRACK).many(),
    text(5, "metadata"),
    long(6, "joined_at"),
    text(9, "name"),
    whole(10, "version"),
    nested(11, "permission", PERMISSION),
    text(12, "region"),
    flag(13, "is_publisher"),
    choice(14, "kind", KIND),
    map(15, "attributes"),
    choice(16, "disconnect_reason", DISCONNECT_REASON),
    long(17, "joined_at_ms"),
];

const OUTBOUND_CONFIG: Message = &[
    text(1, "hostname"),
    choice(2, "transport", TRANSPORT),
    text(3, "auth_username"),
    text(4, "auth_password"),
    map(5, "headers_to_attributes"),
    map(6, "attributes_to_headers"),
    text(7, "destination_country"),
    text(8, "from_host"),
];

const DESTINATION: Message = &[text(1, "city"), text(2, "country"), text(3, "region")];

const MEDIA: Message = &[
    flag(1, "only_listed_codecs"),
    nested(2, "codecs", &[text(1, "name"), whole(2, "rate")]).many(),
    choice(3, "encryption", MEDIA_ENCRYPTION).optional(),
    duration(4, "media_timeout"),
];

const URI: Message =
    &[text(1, "user"), text(2, "host"), text(3, "ip"), whole(4, "port"), choice(5, "transport", TRANSPORT)];

const NAMED: Message = &[text(1, "raw").optional(), nested(2, "values", URI), text(3, "display_name")];

pub(in super::super) const CREATE_SIP_PARTICIPANT: Message = &[
    text(1, "sip_trunk_id"),
    text(2, "sip_call_to"),
    text(3, "room_name"),
    text(4, "participant_identity"),
    text(5, "dtmf"),
    flag(6, "play_ringtone"),
    text(7, "participant_name"),
    text(8, "participant_metadata"),
    map(9, "participant_attributes"),
    flag(10, "hide_phone_number"),
    duration(11, "ringing_timeout"),
    duration(12, "max_call_duration"),
    flag(13, "play_dialtone"),
    flag(14, "krisp_enabled"),
    text(15, "sip_number"),
    map(16, "headers"),
    choice(17, "include_headers", HEADER_OPTIONS),
    choice(18, "media_encryption", MEDIA_ENCRYPTION),
    flag(19, "wait_until_answered"),
    nested(20, "trunk", OUTBOUND_CONFIG),
    text(21, "display_name").optional(),
    nested(22, "destination", DESTINATION),
    nested(23, "media", MEDIA),
    nested(24, "sip_request_uri", &[text(1, "raw").optional(), nested(2, "values", URI)]),
    nested(25, "sip_to_header", NAMED),
    nested(26, "sip_from_header", NAMED),
    text(27, "to_user_override"),
];

pub(in super::super) const SIP_PARTICIPANT_INFO: Message = &[
    text(1, "participant_id"),
    text(2, "participant_identity"),
    text(3, "room_name"),
    text(4, "sip_call_id"),
];

pub(in super::super) const PAGINATION: Message = &[text(1, "after_id"), whole(2, "limit")];

pub(in super::super) const LIST_TRUNKS: Message =
    &[text(1, "trunk_ids").many(), text(2, "numbers").many(), nested(3, "page", PAGINATION)];

const TIMESTAMP: Message = &[long(1, "seconds"), whole(2, "nanos")];

const TRUNK: Message = &[
    text(1, "sip_trunk_id"),
    text(2, "name"),
    text(3, "metadata"),
    text(4, "address"),
    choice(5, "transport", TRANSPORT),
    text(6, "numbers").many(),
    text(7, "auth_username"),
    text(8, "auth_password"),
    map(9, "headers"),
    map(10, "headers_to_attributes"),
    map(11, "attributes_to_headers"),
    choice(12, "include_headers", HEADER_OPTIONS),
    choice(13, "media_encryption", MEDIA_ENCRYPTION),
    text(14, "destination_country"),
    text(15, "from_host"),
    // Never set here, so how their JSON would look does not matter.
    nested(16, "created_at", TIMESTAMP),
    nested(17, "updated_at", TIMESTAMP),
    nested(18, "media", MEDIA),
];

pub(in super::super) const TRUNKS: Message = &[nested(1, "items", TRUNK).many()];

pub(in super::super) const TRANSFER_SIP_PARTICIPANT: Message = &[
    text(1, "participant_identity"),
    text(2, "room_name"),
    text(3, "transfer_to"),
    flag(4, "play_dialtone"),
    map(5, "headers"),
    duration(6, "ringing_timeout"),
];

/// Its code is an enum whose values are SIP's own numbers.
pub(in super::super) const SIP_STATUS: Message = &[whole(1, "code"), text(2, "status")];

pub(in super::super) const TRANSFERRED: Message = &[
    text(1, "transfer_id"),
    choice(2, "status", TRANSFER_STATUS),
    choice(3, "reason", TRANSFER_REASON),
    nested(4, "sip_status", SIP_STATUS),
];

/// `google.rpc.Status`, with its one detail.
pub(in super::super) const RPC_STATUS: Message = &[
    whole(1, "code"),
    text(2, "message"),
    nested(3, "details", &[text(1, "type_url"), bytes(2, "value")]).many(),
];

pub(in super::super) const CREATE_DISPATCH: Message = &[
    text(1, "agent_name"),
    text(2, "room"),
    text(3, "metadata"),
    choice(4, "restart_policy", RESTART_POLICY),
    text(5, "deployment"),
    map(6, "attributes"),
];

pub(in super::super) const FIND_DISPATCH: Message = &[text(1, "dispatch_id"), text(2, "room")];

const JOB_STATE: Message = &[
    choice(1, "status", JOB_STATUS),
    text(2, "error"),
    long(3, "started_at"),
    long(4, "ended_at"),
    long(5, "updated_at"),
    text(6, "participant_identity"),
    text(7, "worker_id"),
    text(8, "agent_id"),
];

const JOB: Message = &[
    text(1, "id"),
    choice(2, "type", JOB_TYPE),
    nested(3, "room", ROOM),
    nested(4, "participant", PARTICIPANT),
    text(5, "namespace"),
    text(6, "metadata"),
    text(7, "agent_name"),
    nested(8, "state", JOB_STATE),
    text(9, "dispatch_id"),
    flag(10, "enable_recording"),
    text(11, "deployment"),
    map(12, "attributes"),
];

pub(in super::super) const DISPATCH: Message = &[
    text(1, "id"),
    text(2, "agent_name"),
    text(3, "room"),
    text(4, "metadata"),
    nested(5, "state", &[nested(1, "jobs", JOB).many(), long(2, "created_at"), long(3, "deleted_at")]),
    choice(6, "restart_policy", RESTART_POLICY),
    text(7, "deployment"),
    map(8, "attributes"),
];

pub(in super::super) const DISPATCHES: Message = &[nested(1, "agent_dispatches", DISPATCH).many()];

/// Sent as JSON only.
pub(in super::super) const WEBHOOK: Message = &[
    text(1, "event"),
    nested(2, "room", ROOM),
    nested(3, "participant", PARTICIPANT),
    text(6, "id"),
    long(7, "created_at"),
    nested(8, "track", TRACK),
    nested(12, "job", JOB),
    choice(13, "room_end_reason", ROOM_END_REASON),
];
