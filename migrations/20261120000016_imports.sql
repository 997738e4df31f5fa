-- Files of leads: how far each was taken in, what came of it, and what is wrong with its rows.

create type import_state as enum ('receiving', 'running', 'done', 'failed', 'undone');
create table imports (
    client_id   uuid not null references clients,
    import_id   uuid not null,
    campaign_id uuid not null,
    name        text not null,
    digest      bytea,
    options     jsonb not null,
    state       import_state not null,
    failed_for  text,
    line        bigint not null default 0,
    rows        bigint not null default 0,
    accepted    bigint not null default 0,
    duplicates  bigint not null default 0,
    consents    bigint not null default 0,
    problems    bigint not null default 0,
    rest_unread boolean not null default false,
    first_lead  uuid,
    last_lead   uuid,
    actor       text not null,
    reason      text,
    created_at  timestamptz not null,
    changed_at  timestamptz not null,
    primary key (client_id, import_id),
    foreign key (client_id, campaign_id) references campaigns,
    constraint imports_digest_is_sha_256 check (digest is null or octet_length(digest) = 32),
    constraint imports_have_a_reason_iff_failed check ((failed_for is not null) = (state = 'failed')),
    constraint imports_count_upwards check (
        line >= 0 and rows >= 0 and accepted >= 0 and duplicates >= 0 and consents >= 0 and problems >= 0),
    constraint imports_name_their_leads check (
        (accepted > 0) = (first_lead is not null) and (first_lead is null) = (last_lead is null))
);
create index imports_of_campaign on imports (campaign_id, import_id);
-- What a caller who hung up leaves behind.
create index imports_receiving on imports (changed_at) where state = 'receiving';
comment on table imports is 'Files of leads that were taken in; each page of rows is committed with its place here.';
comment on column imports.name is 'The file''s name, or what else its sender calls it.';
comment on column imports.digest is 'SHA-256 of the file: the same file, begun and not ended, is gone on with. Null while it comes in.';
comment on column imports.options is 'What its sender said of it: the region of its numbers, the delimiter, consent.';
comment on column imports.failed_for is 'Why no row of it could be read.';
comment on column imports.line is 'The line on which the last row begins that was dealt with.';
comment on column imports.rows is 'Rows read, good or bad.';
comment on column imports.duplicates is 'Rows of leads that the campaign had already, or that stood in the file before.';
comment on column imports.problems is 'Rows that are no leads; those that are kept stand in import_notes.';
comment on column imports.rest_unread is 'The file could not be read to its end; the last note says why.';
comment on column imports.first_lead is 'With last_lead: its leads lie between them, among others of the campaign.';

create table import_parts (
    client_id uuid not null,
    import_id uuid not null,
    part      int not null,
    content   bytea not null,
    primary key (client_id, import_id, part),
    constraint import_parts_count_from_0 check (part >= 0)
);
comment on table import_parts is 'The content of a file that was sent to the API, piece by piece, until the file is taken in.';

create type import_note as enum ('problem', 'duplicate');
create table import_notes (
    client_id   uuid not null,
    import_id   uuid not null,
    line        bigint not null,
    note        import_note not null,
    column_name text,
    value       text,
    problem     text not null,
    primary key (client_id, import_id, line)
);
comment on table import_notes is 'What is wrong with a file''s rows, and which of them added nothing; a bounded number of each.';
comment on column import_notes.line is 'The line that the row begins on, counted from 1.';
comment on column import_notes.value is 'What stands in the column, without what tells who the person is.';

alter table leads add column import_id uuid;
comment on column leads.import_id is 'The file that it came with; null for one that was sent by itself.';

alter table consents add column import_id uuid;
comment on column consents.import_id is 'The file that it was first recorded from; it ends when that is undone.';
