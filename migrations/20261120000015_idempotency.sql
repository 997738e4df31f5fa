create table idempotency_keys (
    api_key     uuid not null references api_keys,
    key         text not null,
    fingerprint bytea not null,
    began_at    timestamptz not null,
    status      smallint,
    answer      bytea,
    primary key (api_key, key),
    constraint idempotency_keys_key_is_short check (char_length(key) between 1 and 255),
    constraint idempotency_keys_fingerprint_is_sha_256 check (octet_length(fingerprint) = 32),
    constraint idempotency_keys_answered_as_a_whole check ((status is null) = (answer is null))
);
create index idempotency_keys_by_age on idempotency_keys (began_at);
comment on table idempotency_keys is 'Requests that were sent under a key of their own, so that sent again they are answered as before; erased after a day.';
comment on column idempotency_keys.fingerprint is 'SHA-256 of what was asked: another request under the same key is refused.';
comment on column idempotency_keys.status is 'Null while it is being carried out.';
comment on column idempotency_keys.answer is 'Sealed with the encryption key.';
