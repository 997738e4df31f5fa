-- Calls that a person answered to hear nobody.

alter table attempts add column abandoned boolean;
comment on column attempts.abandoned is 'Whether a person answered whom our own agent did not speak to in time; null where that is not known: no person answered, or the conversation is not ours.';

alter table call_statistics_deltas
    add column person_answered bigint not null default 0,
    add column abandoned bigint not null default 0;

create table abandonment (
    client_id   uuid not null,
    campaign_id uuid not null,
    day         date not null,
    answered    bigint not null,
    abandoned   bigint not null,
    primary key (client_id, campaign_id, day)
);
create index abandonment_by_day on abandonment (day);
comment on table abandonment is 'Calls of our own agent that a person answered, by the day (UTC) in which the attempts were reserved.';
comment on column abandonment.abandoned is 'How many of these persons were not spoken to in time.';
