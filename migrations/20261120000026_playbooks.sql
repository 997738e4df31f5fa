-- What our own agent says and asks, as versions of a client's playbooks.

create table playbooks (
    client_id  uuid not null references clients,
    name       text collate "C" not null,
    version    int not null,
    text       text not null,
    files      jsonb not null,
    created_at timestamptz not null,
    created_by text not null,
    primary key (client_id, name, version),
    constraint playbooks_name_is_one check (name ~ '^[a-z0-9][a-z0-9_-]{0,59}$'),
    constraint playbooks_versions_start_at_1 check (version >= 1)
);
comment on table playbooks is 'The playbooks of clients. Versions are added and never changed or deleted, since calls were and are made by them. Those that come with the program have no row.';
comment on column playbooks.name is 'Under which it is named by campaigns; in the order of its bytes, as the program has it.';
comment on column playbooks.text is 'The TOML as it was given.';
comment on column playbooks.files is 'The texts of the files that its knowledge names, by those names.';
