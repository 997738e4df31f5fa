-- What happens to campaigns as a whole is told of, too: in the order of commits, among what happens to their leads.

alter table journal
    add column campaign_id uuid,
    add column event_id uuid,
    add column happened jsonb,
    add constraint journal_tells_of_a_campaign_by_itself check (
        (campaign_id is null) = (event_id is null) and (campaign_id is null) = (happened is null)
        and (campaign_id is null or cardinality(leads) = 0));
comment on column journal.campaign_id is 'Of an entry about a campaign as a whole: the campaign. Null for one about leads.';
comment on column journal.event_id is 'The event''s id, the same for every subscriber; set with campaign_id.';
comment on column journal.happened is 'What happened, without personal data; set with campaign_id.';
