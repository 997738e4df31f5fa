-- Lists of leads are searched and sorted.

alter table leads add column terms bigint[];
comment on column leads.terms is 'Hashes of its attributes, each with the campaign: the first 8 bytes of SHA-256 over the campaign''s id and name=value. Null without attributes, and once the person was erased.';
update leads l set terms = (
    select array_agg(('x' || encode(substr(sha256(uuid_send(l.campaign_id) || convert_to(a.key || '=' || a.value, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint)
    from jsonb_each_text(l.attributes) a where a.value is not null)
where attributes <> '{}';
-- Leads without attributes, and without a name, are in neither.
create index leads_by_term on leads using gin (terms) where terms is not null;
create index leads_by_name on leads (campaign_id, (lower(name) collate "C"), lead_id) where name is not null;
