-- How many leads of a lane stand where was kept by the hour, which nobody asks for, and a page about half a year
-- added some hundred thousand rows up. It is one row a standing now. A process of an older version still adds rows by
-- the hour; sums are right either way.

with hours as (
    delete from statistics returning client_id, campaign_id, lane_id, state, outcome, count
)
insert into statistics (client_id, campaign_id, lane_id, state, outcome, hour, count)
    select client_id, campaign_id, lane_id, state, outcome, timestamptz '-infinity', sum(count)::bigint from hours
    group by 1, 2, 3, 4, 5 having sum(count) <> 0;
comment on table statistics is 'Rolled-up deltas: their sum is how many leads of a lane stand where.';
comment on column statistics.hour is 'Minus infinity; an hour in what a version before 40 rolled up.';
