-- What each lead's run costs in writes.
--
-- A workflow's row changes five times in a run, and every index on it that cannot stay behind is
-- written anew with two of these changes; a lead's row never changes. So campaigns are walked by their
-- leads, and workflows found by their primary key.
create index leads_by_campaign on leads (campaign_id, lead_id);
drop index workflows_by_campaign;

-- Foreign keys between rows that only the engine writes, and in the same transaction as what they point
-- to: each was a look-up and a row lock an insert. Nothing deletes leads or workflows.
alter table workflows drop constraint workflows_client_id_lead_id_fkey;
alter table attempts drop constraint attempts_client_id_lead_id_fkey;
