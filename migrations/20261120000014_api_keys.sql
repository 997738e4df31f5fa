create type api_role as enum ('viewer', 'operator', 'admin');
create table api_keys (
    key_id     uuid primary key,
    client_id  uuid references clients,
    name       text not null,
    role       api_role not null,
    hash       bytea not null,
    hint       text not null,
    created_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at    timestamptz,
    constraint api_keys_name_is_not_empty check (name <> ''),
    constraint api_keys_hash_is_sha_256 check (octet_length(hash) = 32),
    constraint api_keys_hash_is_unique unique (hash)
);
create index api_keys_of_client on api_keys (client_id, key_id);
comment on table api_keys is 'Who may speak to the API; never deleted.';
comment on column api_keys.client_id is 'The one client that it is good for; null for all.';
comment on column api_keys.hash is 'SHA-256 of the key, which has 256 random bits; the key itself is not stored.';
comment on column api_keys.hint is 'Its last characters, to tell keys apart by.';
comment on column api_keys.used_at is 'When it was last used, to the minute.';
