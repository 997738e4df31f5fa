-- The schema of Outdial. Keys begin with client_id and no deciding transaction
-- crosses clients, so that the tables can be distributed by client.
-- Closed sets that are ours are enums; what carriers own is text.

create type provider as enum ('exotel');
create type campaign_state as enum ('draft', 'running', 'paused', 'ended');
create type workflow_state as enum ('waiting', 'held', 'dialling', 'calling', 'settling', 'finished');
create type priority as enum ('urgent', 'high', 'normal', 'low');
create type ledger as enum ('reserved', 'withdrawn', 'submitted', 'bound', 'refused', 'unknown', 'absent', 'bound_late');
create type call_status as enum ('scheduled', 'initiated', 'ringing', 'connected', 'in_progress', 'completed', 'failed', 'cancelled');
create type call_result as enum ('answered', 'no_answer', 'busy', 'voicemail', 'failed', 'invalid_number', 'lost');
create type outcome as enum ('successful', 'appointment_scheduled', 'qualified_lead', 'sale_made', 'not_interested', 'no_answer', 'voicemail', 'wrong_number', 'do_not_call', 'failed', 'busy', 'invalid_number', 'unknown');

-- One row: what belongs to this database as a whole.
create table installation (
    the_only        boolean primary key default true,
    key_fingerprint text not null,
    created_at      timestamptz not null,
    constraint one_installation check (the_only)
);
comment on table installation is 'One row: what belongs to this database as a whole.';
comment on column installation.key_fingerprint is 'Fingerprint of the encryption key that the stored credentials are sealed with; a process with another key refuses to start.';

create table clients (
    client_id       uuid primary key,
    name            text not null,
    barrier_version bigint not null default 0,
    created_at      timestamptz not null,
    constraint clients_name_is_not_empty check (name <> ''),
    constraint clients_name_is_unique unique (name)
);
comment on table clients is 'Tenants.';
comment on column clients.barrier_version is 'Counts the changes that may forbid calls; a reservation made under an older number is judged again before it is sent.';

create table accounts (
    client_id       uuid not null references clients,
    account_id      uuid not null,
    name            text not null,
    provider        provider not null,
    base_url        text not null,
    emulated        boolean not null,
    credentials     bytea not null,
    settings        jsonb not null,
    limits          jsonb not null,
    enabled         boolean not null default true,
    version         integer not null default 1,
    resting_until   timestamptz,
    resting_cause   text,
    reads_since     timestamptz,
    reads           integer not null default 0,
    created_at      timestamptz not null,
    primary key (client_id, account_id),
    constraint accounts_name_is_unique unique (client_id, name),
    constraint accounts_name_is_not_empty check (name <> ''),
    constraint accounts_emulated_iff_loopback check (
        emulated = (base_url ~ '^https?://(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])(:[0-9]+)?(/.*)?$')),
    constraint accounts_resting_has_a_cause check ((resting_until is null) = (resting_cause is null)),
    constraint accounts_reads_are_not_negative check (reads >= 0)
);
comment on table accounts is 'Accounts with carriers.';
comment on column accounts.base_url is 'Where the carrier is reached.';
comment on column accounts.emulated is 'True if and only if base_url is a loopback address; only then may campaigns use the open calendar.';
comment on column accounts.credentials is 'Sealed with the encryption key; bound to this client and account.';
comment on column accounts.settings is 'What the carrier''s adapter needs besides credentials.';
comment on column accounts.limits is 'The account''s limits, a list.';
comment on column accounts.version is 'Raised by every edit, so that processes know to read it again.';
comment on column accounts.resting_until is 'Set when the carrier asks for a pause or turns the account down; admission passes it over until then.';
comment on column accounts.resting_cause is 'In the carrier''s words.';
comment on column accounts.reads_since is 'The beginning of the present window of status reads.';
comment on column accounts.reads is 'Status reads in the present window.';

create table campaigns (
    client_id   uuid not null,
    campaign_id uuid not null,
    account_id  uuid not null,
    name        text not null,
    state       campaign_state not null default 'draft',
    revision    integer not null,
    changed_by  text not null,
    reason      text,
    created_at  timestamptz not null,
    changed_at  timestamptz not null,
    primary key (client_id, campaign_id),
    foreign key (client_id, account_id) references accounts,
    constraint campaigns_name_is_unique unique (client_id, name),
    constraint campaigns_name_is_not_empty check (name <> ''),
    constraint campaigns_revision_starts_at_1 check (revision >= 1)
);
create index campaigns_running on campaigns (client_id, account_id) where state = 'running';
comment on table campaigns is 'Sets of leads called under the same rules.';
comment on column campaigns.revision is 'The present revision of its rules.';
comment on column campaigns.changed_by is 'Who last changed its state.';
comment on column campaigns.reason is 'Why, in their words.';

create table campaign_revisions (
    client_id   uuid not null,
    campaign_id uuid not null,
    revision    integer not null,
    rules       jsonb not null,
    actor       text not null,
    created_at  timestamptz not null,
    primary key (client_id, campaign_id, revision),
    foreign key (client_id, campaign_id) references campaigns,
    constraint revisions_start_at_1 check (revision >= 1)
);
comment on table campaign_revisions is 'The rules of campaigns; written once, never changed.';

create table lanes (
    client_id   uuid not null,
    lane_id     uuid not null,
    campaign_id uuid not null,
    served_at   timestamptz not null,
    primary key (client_id, lane_id),
    foreign key (client_id, campaign_id) references campaigns
);
create index lanes_of_campaign on lanes (client_id, campaign_id, served_at);
comment on table lanes is 'The leads of a campaign that share a calendar.';
comment on column lanes.served_at is 'When admission last took leads from it; the longest unserved comes first.';

create table leads (
    client_id   uuid not null,
    lead_id     uuid not null,
    campaign_id uuid not null,
    phone       text,
    name        text,
    zone        text,
    external_id text,
    attributes  jsonb not null default '{}',
    dedupe_key  text,
    created_at  timestamptz not null,
    erased_at   timestamptz,
    primary key (client_id, lead_id),
    foreign key (client_id, campaign_id) references campaigns,
    constraint leads_phone_is_e164 check (phone is null or phone ~ '^\+[1-9][0-9]{6,14}$'),
    constraint leads_phone_unless_erased check ((phone is null) = (erased_at is not null)),
    constraint leads_are_unique unique (client_id, campaign_id, dedupe_key)
);
create index leads_by_phone on leads (client_id, phone) where phone is not null;
comment on table leads is 'People to call: the personal data, apart from the state that changes often.';
comment on column leads.zone is 'The person''s time zone as it was given; the gate reads it.';
comment on column leads.attributes is 'Further columns of the import, for scripts and people.';
comment on column leads.dedupe_key is 'What makes the lead the same lead when it is imported again: its external id, else number and normalised name.';
comment on column leads.erased_at is 'When the person was erased; phone, name and attributes are then empty.';

create table workflows (
    client_id   uuid not null,
    lead_id     uuid not null,
    campaign_id uuid not null,
    lane_id     uuid not null,
    state       workflow_state not null,
    priority    priority not null,
    wake_at     timestamptz,
    why         jsonb not null,
    attempts    smallint not null default 0,
    counted     smallint not null default 0,
    forgiven    smallint not null default 0,
    refusals    smallint not null default 0,
    failures    smallint not null default 0,
    collisions  smallint not null default 0,
    intent      jsonb,
    outcome     outcome,
    events      bigint not null default 0,
    quarantined boolean not null default false,
    trace       text,
    primary key (client_id, lead_id),
    foreign key (client_id, lead_id) references leads,
    constraint workflows_waiting_has_a_time check (state <> 'waiting' or wake_at is not null),
    constraint workflows_live_has_a_timer check (state not in ('dialling', 'calling', 'settling') or wake_at is not null),
    constraint workflows_finished_sleeps check (state <> 'finished' or wake_at is null),
    constraint workflows_outcome_only_when_finished check (outcome is null or state = 'finished'),
    constraint workflows_finished_has_no_intent check (intent is null or state <> 'finished'),
    constraint workflows_counts_are_sane check (
        attempts >= 0 and counted between 0 and attempts and forgiven between 0 and counted
        and refusals >= 0 and failures >= 0 and collisions >= 0 and events >= 0)
) with (fillfactor = 80);
create index workflows_waiting on workflows (client_id, lane_id, priority, wake_at)
    where state = 'waiting' and not quarantined;
create index workflows_timers on workflows (wake_at)
    where state in ('dialling', 'calling', 'settling') and not quarantined;
create index workflows_unfinished on workflows (client_id, campaign_id, lead_id) where state <> 'finished';
comment on table workflows is 'One row a lead: its state. Changed only by the engine''s deciding transactions.';
comment on column workflows.wake_at is 'Waiting: due from then on. Held: due then, once let go. Otherwise: when the timer fires.';
comment on column workflows.why is 'Why the lead stands where it does.';
comment on column workflows.attempts is 'How many rows of the dial ledger it has.';
comment on column workflows.counted is 'How many of them count against caps and retry limits.';
comment on column workflows.forgiven is 'Counted attempts from before a person said retry.';
comment on column workflows.refusals is 'Refusals in a row, for their backoff.';
comment on column workflows.failures is 'Failures in a row, for their backoff.';
comment on column workflows.collisions is 'How often in a row the number was busy with another attempt.';
comment on column workflows.intent is 'What a person asked for while an attempt was live.';
comment on column workflows.events is 'How many events its history holds; the next has the next number.';
comment on column workflows.quarantined is 'Set when a commit about it failed for its data; nothing touches it until it is mended.';
comment on column workflows.trace is 'The trace that the lead was submitted under.';

create table attempts (
    client_id       uuid not null,
    lead_id         uuid not null,
    number          smallint not null,
    campaign_id     uuid not null,
    revision        integer not null,
    account_id      uuid not null,
    phone           text,
    ledger          ledger not null,
    counts          boolean not null,
    barrier_version bigint not null,
    dial_by         timestamptz not null,
    reserved_at     timestamptz not null,
    submitted_at    timestamptz,
    submit_token    uuid,
    replied_at      timestamptz,
    call_id         text,
    status          call_status not null,
    answered_at     timestamptz,
    ended_at        timestamptz,
    result          call_result,
    talk_ms         integer,
    cause           text,
    verdict         outcome,
    outcome         outcome,
    recording_url   text,
    asked           smallint not null default 0,
    body            bytea,
    live            boolean not null generated always as (
        ledger in ('reserved', 'submitted', 'unknown') or (ledger = 'bound' and ended_at is null)) stored,
    primary key (client_id, lead_id, number),
    foreign key (client_id, lead_id) references workflows,
    constraint attempts_start_at_1 check (number >= 1),
    constraint attempts_submitted_has_a_token check ((submitted_at is null) = (submit_token is null)),
    constraint attempts_nothing_is_sent_before_submission check (
        ledger in ('reserved', 'withdrawn') = (submitted_at is null)),
    constraint attempts_ended_iff_result check ((ended_at is null) = (result is null)),
    constraint attempts_only_calls_end check (ended_at is null or ledger in ('bound', 'bound_late')),
    constraint attempts_talk_only_when_ended check (talk_ms is null or ended_at is not null),
    constraint attempts_talk_is_not_negative check (talk_ms is null or talk_ms >= 0),
    constraint attempts_uncounted_rang_nobody check (counts or ledger in ('reserved', 'withdrawn', 'refused')),
    constraint attempts_live_has_a_phone check (phone is not null or not (
        ledger in ('reserved', 'submitted', 'unknown') or (ledger = 'bound' and ended_at is null)))
) with (fillfactor = 80);
create unique index one_live_attempt_per_number on attempts (client_id, phone) where live;
create index attempts_live on attempts (client_id, account_id, campaign_id) where live;
create index attempts_rate on attempts (client_id, account_id, replied_at) where replied_at is not null;
create index attempts_bodies on attempts (submitted_at) where body is not null;
comment on table attempts is 'The dial ledger: one row an attempt, at most one call a row.';
comment on column attempts.revision is 'The revision of the campaign''s rules that it was made under.';
comment on column attempts.counts is 'Whether caps and retry limits see it.';
comment on column attempts.barrier_version is 'The client''s barrier version when the facts for it were read.';
comment on column attempts.dial_by is 'Nothing is submitted from then on.';
comment on column attempts.submitted_at is 'When sending it was committed to.';
comment on column attempts.submit_token is 'Known to the one process that may send.';
comment on column attempts.replied_at is 'When the request''s result became known.';
comment on column attempts.call_id is 'The carrier''s name for the call, once bound.';
comment on column attempts.status is 'How far the call has come; only moves forward.';
comment on column attempts.ended_at is 'When the end became known.';
comment on column attempts.talk_ms is 'Time connected, in milliseconds, if the carrier said.';
comment on column attempts.cause is 'The carrier''s word for the reason of the end.';
comment on column attempts.verdict is 'What was reported about the conversation.';
comment on column attempts.outcome is 'What was recorded in the end.';
comment on column attempts.asked is 'How often the carrier was asked since the last news.';
comment on column attempts.body is 'The request as it was sent; erased 24 hours after the attempt resolved.';
comment on column attempts.live is 'Whether it holds a slot and its number.';

create table call_results (
    client_id  uuid not null,
    lead_id    uuid not null,
    number     smallint not null,
    results    jsonb not null,
    updated_at timestamptz not null,
    primary key (client_id, lead_id, number),
    foreign key (client_id, lead_id, number) references attempts
);
comment on table call_results is 'What a call yielded beyond its outcome: bulky, and apart from the narrow ledger.';
comment on column call_results.results is 'By name: transcript, recording, sentiment, notes and the like.';

create table workflow_events (
    client_id uuid not null,
    lead_id   uuid not null,
    seq       bigint not null,
    at        timestamptz not null,
    event     jsonb not null,
    primary key (client_id, lead_id, seq, at),
    constraint events_start_at_1 check (seq >= 1)
) partition by range (at);
create table workflow_events_default partition of workflow_events default;
comment on table workflow_events is 'What happened to each lead; appended only, without personal data, in monthly partitions.';
comment on column workflow_events.seq is 'Its place in the lead''s history, without gaps.';

create table jobs (
    client_id   uuid not null,
    job_id      uuid not null,
    kind        text not null,
    lead_id     uuid,
    number      smallint,
    args        jsonb not null default '{}',
    priority    smallint not null default 2,
    run_at      timestamptz not null,
    tries       smallint not null default 0,
    lease_owner uuid,
    lease_token uuid,
    lease_until timestamptz,
    last_error  text,
    created_at  timestamptz not null,
    primary key (client_id, job_id),
    constraint jobs_leased_or_free check (
        (lease_owner is null) = (lease_token is null) and (lease_owner is null) = (lease_until is null)),
    constraint jobs_tries_are_not_negative check (tries >= 0)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index jobs_free on jobs (kind, priority, run_at) where lease_owner is null;
create index jobs_leased on jobs (lease_until) where lease_owner is not null;
create unique index one_job_per_step on jobs (client_id, lead_id, number, kind) where lead_id is not null;
comment on table jobs is 'The queue: work that may run now. Narrow; a row is deleted in the commit that takes in its result.';
comment on column jobs.kind is 'Which job; part of our stored data.';
comment on column jobs.number is 'The attempt that the step is about.';
comment on column jobs.priority is '0 before 1 before 2 before 3; work that was taken over runs first.';
comment on column jobs.run_at is 'In the future only for a job that backs off.';
comment on column jobs.tries is 'How often it was claimed and not handed back unharmed.';
comment on column jobs.lease_owner is 'The node that holds it.';
comment on column jobs.lease_token is 'Made anew with each claim; results are fenced by it.';
comment on column jobs.lease_until is 'From then on another node may take it.';

create table schedules (
    name     text primary key,
    cron     text not null,
    zone     text not null default 'UTC',
    missed   text not null default 'once',
    next_at  timestamptz not null,
    last_at  timestamptz,
    last_ms  integer,
    last_error text,
    constraint schedules_missed_policy check (missed in ('once', 'skip'))
);
comment on table schedules is 'Recurring work. A run is claimed by moving next_at on.';
comment on column schedules.cron is 'Six fields: second, minute, hour, day of month, month, day of week.';
comment on column schedules.missed is 'What a run that was missed by more than a minute comes to: once, or skip.';
comment on column schedules.last_ms is 'How long the last run took, in milliseconds.';

create table webhook_inbox (
    client_id   uuid not null,
    inbox_id    uuid not null,
    account_id  uuid,
    provider    provider not null,
    lead_id     uuid,
    number      smallint,
    call_id     text,
    input       jsonb not null,
    received_at timestamptz not null,
    applied_at  timestamptz,
    primary key (client_id, inbox_id)
);
create index webhook_inbox_open on webhook_inbox (client_id, received_at) where applied_at is null;
comment on table webhook_inbox is 'News that cannot be taken in yet: without our key, or for a workflow in quarantine.';
comment on column webhook_inbox.applied_at is 'When it was taken in or given up.';

create table suppressions (
    client_id      uuid not null references clients,
    suppression_id uuid not null,
    phone          text not null,
    campaign_id    uuid,
    source         text not null,
    actor          text not null,
    created_at     timestamptz not null,
    expires_at     timestamptz,
    removed_at     timestamptz,
    primary key (client_id, suppression_id),
    constraint suppressions_phone_is_e164 check (phone ~ '^\+[1-9][0-9]{6,14}$')
);
create unique index suppressions_by_phone on suppressions (client_id, phone, campaign_id) nulls not distinct
    where removed_at is null;
comment on table suppressions is 'Numbers that must not be called: by the client, or in one campaign.';
comment on column suppressions.campaign_id is 'The campaign that it is bounded to; null for the whole client.';
comment on column suppressions.source is 'Where it came from: a person''s wish, a list, a result.';
comment on column suppressions.removed_at is 'Set when it was lifted; the row stays for the record.';

create table nodes (
    node_id      uuid primary key,
    name         text not null,
    host         text not null,
    pid          integer not null,
    pid_started  bigint not null,
    roles        text[] not null,
    started_at   timestamptz not null,
    seen_at      timestamptz not null,
    clock_off_ms integer not null default 0
);
comment on table nodes is 'Running processes; a row is removed when its process has stopped or is known dead.';
comment on column nodes.host is 'The host''s boot id and the process''s pid namespace: within one, a pid and its start time name a process.';
comment on column nodes.pid_started is 'The process''s start time in clock ticks since boot.';
comment on column nodes.clock_off_ms is 'How far the node''s clock is from the database''s.';

create table quarantine (
    client_id     uuid not null,
    quarantine_id uuid not null,
    lead_id       uuid,
    job_kind      text,
    item          jsonb not null,
    error         text not null,
    created_at    timestamptz not null,
    released_at   timestamptz,
    primary key (client_id, quarantine_id)
);
create index quarantine_open on quarantine (client_id, created_at) where released_at is null;
comment on table quarantine is 'What could not be processed, with its error; everything else goes on.';
comment on column quarantine.item is 'The input or the job as it was.';
comment on column quarantine.released_at is 'When it was put back to work, or discarded.';

create table statistics_deltas (
    delta_id    bigint generated always as identity primary key,
    client_id   uuid not null,
    campaign_id uuid not null,
    lane_id     uuid not null,
    state       workflow_state not null,
    outcome     outcome,
    hour        timestamptz not null,
    count       bigint not null
);
comment on table statistics_deltas is 'What commits changed, not yet rolled up.';

create table statistics (
    client_id   uuid not null,
    campaign_id uuid not null,
    lane_id     uuid not null,
    state       workflow_state not null,
    outcome     outcome,
    hour        timestamptz not null,
    count       bigint not null,
    constraint statistics_key unique nulls not distinct (client_id, campaign_id, lane_id, state, outcome, hour)
);
comment on table statistics is 'Rolled-up deltas: their sum over all hours is the present count, one hour is what that hour did.';
