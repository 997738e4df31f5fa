-- How many leads stand where, and why: what a scrape of the metrics reads. The statistics tell the same by the
-- hour and the lane, and are the longer for it. Counting what is there takes seconds per million leads, once.
-- A process of an older version gives no reasons: while one runs, the sums are right and the reasons are not.

alter table statistics_deltas add column reason text;
comment on column statistics_deltas.reason is 'Why the lead waits or is held, by name; null in all other states.';

create table standings (
    client_id   uuid not null,
    campaign_id uuid not null,
    state       workflow_state not null,
    reason      text,
    outcome     outcome,
    count       bigint not null,
    constraint standings_key unique nulls not distinct (client_id, campaign_id, state, reason, outcome),
    constraint standings_reasons_are_of_those_who_wait check (reason is null or state in ('waiting', 'held'))
);
comment on table standings is 'How many leads of a campaign stand where, without what is still pending in statistics_deltas.';

-- What is pending is in the leads already.
with taken as (
    delete from statistics_deltas returning client_id, campaign_id, lane_id, state, outcome, hour, count
)
insert into statistics as s (client_id, campaign_id, lane_id, state, outcome, hour, count)
    select client_id, campaign_id, lane_id, state, outcome, hour, sum(count)::bigint from taken group by 1, 2, 3, 4, 5, 6
    on conflict on constraint statistics_key do update set count = s.count + excluded.count;
insert into standings
    select client_id, campaign_id, state, case when state in ('waiting', 'held') then why ->> 'why' end, outcome, count(*)
    from workflows group by 1, 2, 3, 4, 5;

-- Those that are shown: what is under way, the latest changed first.
create index campaigns_under_way on campaigns (changed_at) where state in ('running', 'paused');

-- Two calls for one attempt must be impossible; should it ever be otherwise, that is found without a search.
create index attempts_second_call on attempts (account_id) where second_call_id is not null;
