-- Accounts whose carrier turns them down, and what carriers say of them.

alter table accounts
    add column held_at timestamptz,
    add column held_cause text,
    add column held_checked_at timestamptz,
    add column carrier_calls integer,
    add constraint accounts_held_has_a_cause check ((held_at is null) = (held_cause is null)),
    add constraint accounts_checked_when_held check (held_checked_at is null or held_at is not null),
    add constraint accounts_carrier_calls_positive check (carrier_calls is null or carrier_calls >= 0);
create index accounts_held on accounts (held_checked_at) where held_at is not null;
comment on column accounts.held_at is 'Since when nothing is dialled from it, because its carrier says that it may not: a wrong key, no balance.';
comment on column accounts.held_cause is 'In the carrier''s words.';
comment on column accounts.held_checked_at is 'When the carrier was last asked whether it takes the account again.';
comment on column accounts.carrier_calls is 'How many calls at once the carrier says that it lets the account have; null where it does not say.';
