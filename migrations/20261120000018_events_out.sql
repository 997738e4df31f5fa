-- What happened, in the order of commits, and who is told.

create table journal (
    client_id uuid not null,
    xid       xid8 not null default pg_current_xact_id(),
    entry     bigint not null generated always as identity,
    at        timestamptz not null,
    leads     uuid[] not null,
    seqs      bigint[] not null,
    primary key (client_id, xid, entry),
    constraint journal_names_rows_of_the_history check (cardinality(leads) = cardinality(seqs))
);
comment on table journal is 'What each commit appended to the histories of leads: one row a commit, kept for a week. It is read up to the oldest transaction that still runs, so that nothing turns up behind a reader.';
comment on column journal.xid is 'The transaction that wrote it: what rows are read in the order of.';
comment on column journal.seqs is 'With leads and at: the keys of rows of workflow_events.';

create table subscribers (
    client_id         uuid not null references clients,
    subscriber_id     uuid not null,
    url               text not null,
    description       text not null,
    types             text[] not null,
    campaigns         uuid[] not null,
    secret            bytea not null,
    old_secret        bytea,
    old_secret_until  timestamptz,
    disabled_for      text,
    failures          int not null default 0,
    failing_since     timestamptz,
    resting_until     timestamptz,
    created_by        text not null,
    created_at        timestamptz not null,
    changed_at        timestamptz not null,
    deleted_at        timestamptz,
    primary key (client_id, subscriber_id),
    constraint subscribers_old_secret_ends check ((old_secret is null) = (old_secret_until is null)),
    constraint subscribers_failing_since_the_first check ((failures > 0) = (failing_since is not null))
);
comment on table subscribers is 'Who is told of events, and how they have been answering.';
comment on column subscribers.types is 'Of which types; empty for all.';
comment on column subscribers.campaigns is 'Of which campaigns; empty for all.';
comment on column subscribers.secret is 'What events are signed with, sealed with the encryption key.';
comment on column subscribers.old_secret is 'Signed with as well until old_secret_until, so that the secret can be changed without a gap.';
comment on column subscribers.disabled_for is 'Why nothing is sent to it; null while it is enabled.';
comment on column subscribers.failures is 'Failures since it last took an event.';

create table journal_cursors (
    client_id uuid primary key references clients,
    xid       xid8 not null,
    entry     bigint not null
);
comment on table journal_cursors is 'Up to where a client''s journal was turned into deliveries; a client without subscribers has none.';

create type delivery_state as enum ('waiting', 'delivered', 'failed');
create table deliveries (
    subscriber_id uuid not null,
    delivery_id   bigint not null generated always as identity,
    client_id     uuid not null,
    event_id      text not null,
    kind          text not null,
    at            timestamptz not null,
    lead_id       uuid,
    seq           bigint,
    told          jsonb not null,
    state         delivery_state not null default 'waiting',
    tries         smallint not null default 0,
    next_at       timestamptz,
    last_status   smallint,
    last_error    text,
    changed_at    timestamptz not null,
    primary key (subscriber_id, delivery_id),
    constraint deliveries_are_about_an_event_of_a_lead check ((lead_id is null) = (seq is null)),
    constraint deliveries_are_tried_again_while_they_wait check ((next_at is not null) = (state = 'waiting'))
) with (fillfactor = 80);
create unique index deliveries_once on deliveries (subscriber_id, event_id);
-- The next to be sent, and whether an earlier one of the same lead still waits.
create index deliveries_due on deliveries (subscriber_id, next_at, delivery_id) where state = 'waiting';
create index deliveries_waiting_by_lead on deliveries (subscriber_id, lead_id, delivery_id) where state = 'waiting';
create index deliveries_by_age on deliveries (changed_at) where state <> 'waiting';
comment on table deliveries is 'One row an event and subscriber: the delivery log.';
comment on column deliveries.event_id is 'The same for every subscriber and every sending of an event.';
comment on column deliveries.told is 'What is particular to the event''s type; without personal data.';
