-- What people order for many leads at once, for an account or for a client, and when it ends by itself.

create type bulk_state as enum ('running', 'done', 'cancelled');
create table bulk_operations (
    client_id      uuid not null references clients,
    operation_id   uuid not null,
    command        jsonb not null,
    filter         jsonb not null,
    actor          text not null,
    reason         text,
    state          bulk_state not null default 'running',
    looked_at      bigint not null default 0,
    changed        bigint not null default 0,
    deferred       bigint not null default 0,
    declined       bigint not null default 0,
    declined_for   text,
    after_campaign uuid,
    after_lead     uuid,
    created_at     timestamptz not null,
    changed_at     timestamptz not null,
    primary key (client_id, operation_id),
    constraint bulk_operations_count_upwards check (
        looked_at >= 0 and changed >= 0 and deferred >= 0 and declined >= 0),
    constraint bulk_operations_stand_somewhere check ((after_campaign is null) = (after_lead is null))
);
comment on table bulk_operations is 'Orders for many leads; each is carried out by a job, page by page.';
comment on column bulk_operations.command is 'What is ordered for each lead.';
comment on column bulk_operations.filter is 'For which leads.';
comment on column bulk_operations.looked_at is 'Leads that the walk has passed, fitting or not.';
comment on column bulk_operations.deferred is 'Leads for which it takes effect once their call has resolved.';
comment on column bulk_operations.declined is 'Leads for which it made no sense where they stand.';
comment on column bulk_operations.declined_for is 'Why the last of them was declined.';
comment on column bulk_operations.after_lead is 'How far the walk has come; a job that takes it up goes on there.';

-- The walk over a campaign''s leads. No update touches it, unlike an index of the unfinished ones.
create index workflows_by_campaign on workflows (client_id, campaign_id, lead_id);
drop index workflows_unfinished;

alter table campaigns add column resume_at timestamptz,
    add constraint campaigns_resume_when_paused check (resume_at is null or state = 'paused');
create index campaigns_resuming on campaigns (resume_at) where resume_at is not null;
comment on column campaigns.resume_at is 'When a paused campaign resumes by itself.';

alter table accounts add column paused_by text, add column paused_for text, add column resume_at timestamptz,
    add constraint accounts_resume_when_paused check (paused_by is not null or (resume_at is null and paused_for is null));
create index accounts_resuming on accounts (resume_at) where resume_at is not null;
comment on column accounts.paused_by is 'Who paused it; null while it is not paused.';
comment on column accounts.paused_for is 'Why, in their words.';
comment on column accounts.resume_at is 'When it resumes by itself.';

alter table clients add column paused_by text, add column paused_for text, add column resume_at timestamptz,
    add constraint clients_resume_when_paused check (paused_by is not null or (resume_at is null and paused_for is null));
create index clients_resuming on clients (resume_at) where resume_at is not null;
comment on column clients.paused_by is 'Who paused it; null while it is not paused.';
comment on column clients.paused_for is 'Why, in their words.';
comment on column clients.resume_at is 'When it resumes by itself.';

create type recurring_action as enum ('start', 'pause', 'again');
create table campaign_schedules (
    client_id   uuid not null,
    schedule_id uuid not null,
    campaign_id uuid not null,
    cron        text not null,
    zone        text not null,
    action      recurring_action not null,
    actor       text not null,
    next_at     timestamptz,
    last_at     timestamptz,
    last_error  text,
    created_at  timestamptz not null,
    primary key (client_id, schedule_id),
    foreign key (client_id, campaign_id) references campaigns
);
create index campaign_schedules_due on campaign_schedules (next_at) where next_at is not null;
create index campaign_schedules_of on campaign_schedules (client_id, campaign_id);
comment on table campaign_schedules is 'What is ordered for a campaign again and again.';
comment on column campaign_schedules.cron is 'Six fields: second, minute, hour, day of month, month, day of week.';
comment on column campaign_schedules.zone is 'By whose clock.';
comment on column campaign_schedules.action is 'start: dial (again). pause: stop until started. again: start, and try every finished lead anew that may be called.';
comment on column campaign_schedules.next_at is 'Null once the cron expression has no further time.';

-- Who ordered what, for everything that is not one lead: those have it in their history.
create table audit (
    client_id  uuid not null,
    audit_id   uuid not null,
    at         timestamptz not null,
    actor      text not null,
    action     text not null,
    subject    text not null,
    subject_id uuid not null,
    reason     text,
    details    jsonb not null,
    primary key (client_id, audit_id)
);
create index audit_of_subject on audit (client_id, subject_id, audit_id);
comment on table audit is 'Who ordered what and when; appended only.';
comment on column audit.subject is 'campaign, account, client or operation.';
comment on column audit.details is 'What changed, by name.';
