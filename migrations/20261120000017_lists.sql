-- What people look through, page by page.

create index suppressions_of_campaign on suppressions (campaign_id, suppression_id)
    where campaign_id is not null and removed_at is null;
