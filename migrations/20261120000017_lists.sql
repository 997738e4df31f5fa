-- What people look through, page by page. Made in one go, which holds up writes meanwhile: seconds per
-- million rows.

-- A campaign's attempts by their time. Both columns are written once, and a round reserves all of its attempts
-- at one time, so that the entries of a round share theirs.
create index attempts_by_campaign on attempts (campaign_id, reserved_at);

create index suppressions_of_campaign on suppressions (campaign_id, suppression_id)
    where campaign_id is not null and removed_at is null;

create index quarantine_listed on quarantine (client_id, quarantine_id) where released_at is null;

create index audit_of_actor on audit (client_id, actor, audit_id);
comment on column audit.subject is 'What kind of thing it is about: campaign, account, client, operation, key, job.';
