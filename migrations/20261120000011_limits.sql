-- Limits and breakers of clients, accounts and single numbers, and which number each call came from.

alter table clients
    add column limits jsonb not null default '[]',
    add column limits_since timestamptz;
comment on column clients.limits is 'What bounds all of the client''s dialling together, a list.';
comment on column clients.limits_since is 'Since when they are as they are; null: from the beginning.';

alter table accounts
    add column limits_since timestamptz,
    add column failing smallint not null default 0,
    add column trips smallint not null default 0,
    add constraint accounts_breaker_counts_upwards check (failing >= 0 and trips >= 0);
comment on column accounts.limits_since is 'Since when they are as they are; null: from the beginning.';
comment on column accounts.failing is 'Dial requests in a row that failed for no fault of the called number.';
comment on column accounts.trips is 'How often in a row its breaker has opened; 0 while it is closed.';

create table numbers (
    client_id     uuid not null,
    account_id    uuid not null,
    number        text not null,
    limits        jsonb not null default '[]',
    limits_since  timestamptz,
    failing       smallint not null default 0,
    trips         smallint not null default 0,
    resting_until timestamptz,
    resting_cause text,
    primary key (client_id, account_id, number),
    foreign key (client_id, account_id) references accounts,
    constraint numbers_number_is_not_empty check (number <> ''),
    constraint numbers_resting_has_a_cause check ((resting_until is null) = (resting_cause is null)),
    constraint numbers_breaker_counts_upwards check (failing >= 0 and trips >= 0)
);
comment on table numbers is 'What is known of single numbers that an account calls from; one that is missing has no limits and works.';
comment on column numbers.number is 'As campaigns name it.';
comment on column numbers.limits is 'What bounds calls from this number, a list, over all campaigns of the account.';
comment on column numbers.limits_since is 'Since when they are as they are; null: from the beginning.';
comment on column numbers.failing is 'Dial requests in a row that the carrier turned down.';
comment on column numbers.trips is 'How often in a row its breaker has opened; 0 while it is closed.';
comment on column numbers.resting_until is 'Set when its breaker opens; admission passes it over until then.';
comment on column numbers.resting_cause is 'In the carrier''s words.';

alter table attempts add column caller_id text;
comment on column attempts.caller_id is 'The number that it dials from, picked from the campaign''s.';
create index numbers_ailing on numbers (account_id) where failing > 0 or trips > 0;
