-- Four carriers, and what conversations yield.

alter type provider add value 'retell';
alter type provider add value 'telnyx';
alter type provider add value 'live_kit';

alter table attempts add column results_digest bigint;
comment on column attempts.results_digest is 'Tells the last results that were taken in from others, so that what is told twice is noted once.';

-- Webhooks of types that the version of the day did not know: authentic, and without effect.
create table strange_webhooks (
    client_id   uuid not null,
    account_id  uuid not null,
    webhook_id  uuid not null,
    event       text not null,
    body        text not null,
    received_at timestamptz not null,
    primary key (client_id, account_id, webhook_id),
    foreign key (client_id, account_id) references accounts
);
create index strange_webhooks_old on strange_webhooks (received_at);
comment on table strange_webhooks is 'Carriers'' events of unknown types, for a month: what an adapter does not understand yet.';
comment on column strange_webhooks.event is 'The type that the carrier calls it.';
comment on column strange_webhooks.body is 'As it came, cut off after 16 KB.';
