-- News that bears the carrier's name for a call, and not our key: found by that name.
-- Both indexes are made in one go, which holds up writes meanwhile: seconds per million attempts.

create index attempts_by_call on attempts (client_id, account_id, call_id) where call_id is not null;
create index webhook_inbox_unmatched on webhook_inbox (client_id, call_id)
    where applied_at is null and lead_id is null;

comment on column webhook_inbox.lead_id is 'The lead it is about; null while only the carrier''s name for the call is known.';
comment on column webhook_inbox.account_id is 'The account that the call_id belongs to; set where lead_id is not.';
comment on column webhook_inbox.call_id is 'The carrier''s name for the call; set where lead_id is not.';
alter table webhook_inbox add constraint webhook_inbox_names_a_lead_or_a_call check (
    lead_id is not null or (account_id is not null and call_id is not null));
