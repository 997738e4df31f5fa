alter table attempts add column cost_micros bigint,
    add constraint attempts_cost_is_not_negative check (cost_micros >= 0);
comment on column attempts.cost_micros is 'What the call cost, in millionths of the unit of the account''s currency, once the carrier has said.';

alter table accounts
    add column priced_before timestamptz,
    add column pricing_at timestamptz,
    add column pricing_lead uuid,
    add constraint accounts_pricing_stands_somewhere check ((pricing_at is null) = (pricing_lead is null));
comment on column accounts.priced_before is 'No attempt whose request was answered before this is asked about its cost any more.';
comment on column accounts.pricing_at is 'How far the present walk over those since has come, by the time of the answer; null: at its beginning.';

create table spending_deltas (
    delta_id    bigint generated always as identity primary key,
    client_id   uuid not null,
    account_id  uuid not null,
    campaign_id uuid not null,
    span        timestamptz not null,
    open        integer not null,
    cost_micros bigint not null
);
comment on table spending_deltas is 'What commits changed, not yet rolled up.';

create table spending (
    client_id   uuid not null,
    span        timestamptz not null,
    account_id  uuid not null,
    campaign_id uuid not null,
    open        bigint not null,
    cost_micros bigint not null,
    primary key (client_id, span, account_id, campaign_id)
);
comment on table spending is 'What attempts took of what may be spent, by the quarter of an hour in which they were reserved.';
comment on column spending.open is 'Attempts that may cost something, of which no cost is known.';
comment on column spending.cost_micros is 'What the others cost.';

-- Today's, in any zone: limits on spending that are set now count them.
insert into spending (client_id, span, account_id, campaign_id, open, cost_micros)
    select client_id, date_bin('15 minutes', reserved_at, timestamptz '2000-01-01 00:00:00+00'),
        account_id, campaign_id, count(*), 0
    from attempts
    where reserved_at > now() - interval '3 days' and ledger not in ('withdrawn', 'refused', 'absent')
    group by 1, 2, 3, 4;

-- What was refused in every set of rules, and is a limit now.
update campaign_revisions set rules = rules - 'spend_per_day' where rules ? 'spend_per_day';
