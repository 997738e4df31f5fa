-- How calls go, counted commit by commit.

create table call_statistics_deltas (
    delta_id    bigint generated always as identity primary key,
    client_id   uuid not null,
    campaign_id uuid not null,
    span        timestamptz not null,
    outcome     outcome not null,
    number      smallint not null,
    attempts    bigint not null,
    answered    bigint not null,
    talk_ms     bigint not null,
    priced      bigint not null,
    cost_micros bigint not null
);
comment on table call_statistics_deltas is 'What commits changed, not yet rolled up.';

create table call_statistics (
    client_id   uuid not null,
    campaign_id uuid not null,
    span        timestamptz not null,
    outcome     outcome not null,
    number      smallint not null,
    attempts    bigint not null,
    answered    bigint not null,
    talk_ms     bigint not null,
    priced      bigint not null,
    cost_micros bigint not null,
    primary key (client_id, campaign_id, span, outcome, number)
);
comment on table call_statistics is 'Attempts of which an outcome is recorded, by the quarter of an hour in which they were reserved.';
comment on column call_statistics.number is 'Which of its lead''s it was; 10 for that and all later.';
comment on column call_statistics.answered is 'How many somebody or something answered.';
comment on column call_statistics.priced is 'How many are known to have cost what.';

insert into call_statistics
    select client_id, campaign_id, date_bin('15 minutes', reserved_at, timestamptz '2000-01-01 00:00:00+00'), outcome,
        least(number, 10), count(*), count(answered_at), coalesce(sum(talk_ms), 0), count(cost_micros),
        coalesce(sum(cost_micros), 0)
    from attempts where outcome is not null group by 1, 2, 3, 4, 5;
