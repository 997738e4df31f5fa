-- What the gate asks about a person besides their hours: where they are, what they agreed to, and how
-- often their number was tried.

alter table leads add column region text;
comment on column leads.region is 'Where the person is, as it was given: a country, or a part of one (US-FL). Null: told by the number.';

create type purpose as enum ('marketing', 'service', 'collections');
create type consent_level as enum ('express', 'express_written');
create table consents (
    client_id  uuid not null references clients,
    consent_id uuid not null,
    phone      text not null,
    level      consent_level not null,
    purpose    purpose,
    source     text not null,
    given_at   timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    actor      text not null,
    created_at timestamptz not null,
    primary key (client_id, consent_id),
    constraint consents_phone_is_e164 check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    -- Part of an index, whose entries are bounded.
    constraint consents_source_is_short check (char_length(source) between 1 and 300),
    constraint consents_end_after_they_begin check (expires_at is null or expires_at > given_at)
);
-- By number, and the same consent once, however often it is recorded.
create unique index consents_by_phone on consents (client_id, phone, level, purpose, source, given_at, expires_at)
    nulls not distinct;
comment on table consents is 'What people agreed to, and what they took back; never deleted.';
comment on column consents.purpose is 'What calls it is for; null for all.';
comment on column consents.source is 'Where it can be proved: a form, a recording, a contract.';
comment on column consents.given_at is 'When it was given; when it was recorded, if nobody said.';
comment on column consents.revoked_at is 'When it was taken back. It takes everything with it that was given before.';

-- For caps. The number is written once and no other column is in it, so no update of an attempt touches it.
-- Made in one go, which holds up writes meanwhile: seconds per million attempts.
create index attempts_by_phone on attempts (client_id, phone);

comment on column suppressions.removed_at is 'Set when it was lifted, or to its end when the number came onto the list anew after it; the row stays for the record.';
-- A list is read newest first.
create index suppressions_listed on suppressions (client_id, suppression_id) where removed_at is null;
