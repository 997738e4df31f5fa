-- What changes with every commit about a call stands in no index: such an update stays in its page
-- (a HOT update), writes no index entry, and leaves nothing for vacuum to find. A column that an
-- index names only in its condition counts as indexed, so conditions are columns of their own.

drop index workflows_waiting;
drop index workflows_timers;
alter table workflows
    add column due_at timestamptz
        generated always as (case when state = 'waiting' and not quarantined then wake_at end) stored,
    add column timer_hour timestamptz
        generated always as (case when state in ('dialling', 'calling', 'settling') and not quarantined
            then date_bin('1 hour', wake_at, timestamptz '2000-01-01 00:00:00+00') end) stored;
-- Room in each page for the versions that its rows go through while their calls live.
alter table workflows set (fillfactor = 60);
alter table attempts set (fillfactor = 60);
create index workflows_waiting on workflows (client_id, lane_id, priority, due_at) where due_at is not null;
create index workflows_timers on workflows (timer_hour) where timer_hour is not null;
comment on column workflows.due_at is 'When a waiting lead is due; admission reads it.';
comment on column workflows.timer_hour is 'The hour in which the timer fires: it seldom changes while a call lives, which the exact time does all the while.';

-- Some hundred bytes that are written once and never read by a decision: apart from the ledger,
-- whose rows are written anew with everything that happens to a call. No foreign key: it would be
-- checked row by row, and no attempt is ever removed before its request.
create table dial_requests (
    client_id    uuid not null,
    lead_id      uuid not null,
    number       smallint not null,
    submitted_at timestamptz not null,
    body         bytea not null,
    primary key (client_id, lead_id, number)
);
create index dial_requests_by_age on dial_requests (submitted_at);
comment on table dial_requests is 'Requests as they were sent; erased 24 hours after their attempts resolved.';
comment on column dial_requests.submitted_at is 'When sending it was committed to.';
insert into dial_requests (client_id, lead_id, number, submitted_at, body)
    select client_id, lead_id, number, submitted_at, body from attempts
    where body is not null and submitted_at is not null;
drop index attempts_bodies;
alter table attempts drop column body;

-- One row a commit and lead instead of one an event: half of what an event costs is its row.
alter table workflow_events rename column event to events;
update workflow_events set events = jsonb_build_array(events);
comment on column workflow_events.seq is 'The place of its first event in the lead''s history, which has no gaps.';
comment on column workflow_events.events is 'What one commit recorded, an array.';

-- Live attempts are few: those of a client are found by their numbers' index.
drop index attempts_live;
