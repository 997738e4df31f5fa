-- People who were erased, by order: what was removed, and nothing of whose it was.

create table erasures (
    client_id   uuid not null references clients,
    erasure_id  uuid not null,
    number_hash text not null,
    actor       text not null,
    reason      text,
    at          timestamptz not null,
    erased      jsonb not null,
    kept        jsonb not null,
    primary key (client_id, erasure_id),
    constraint erasures_number_is_hashed check (number_hash ~ '^[0-9a-f]{32}$')
);
create index erasures_of_number on erasures (number_hash, erasure_id);
comment on table erasures is 'Certificates: one for each order to erase the person with a number.';
comment on column erasures.number_hash is 'Of the number, made with the encryption key: whoever has both number and key can tell that it was erased, and nobody else can find the number by trying.';
comment on column erasures.erased is 'Rows that were removed, or emptied of the person, by table.';
comment on column erasures.kept is 'Rows with the number that were kept, by table: entries of lists that must go on to forbid calls.';
