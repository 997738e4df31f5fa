-- Jobs that are over, and what went wrong with each try.

create type job_end as enum ('done', 'dropped', 'discarded');
comment on type job_end is 'done: carried out. dropped: nothing was left to do for it. discarded: given up by a person.';

alter table jobs add column errors jsonb;
comment on column jobs.errors is 'The tries that failed, with when and why; null until one did.';

create table finished_jobs (
    client_id   uuid not null references clients,
    job_id      uuid not null,
    kind        text not null,
    lead_id     uuid,
    number      smallint,
    args        jsonb not null,
    tries       smallint not null,
    result      job_end not null,
    errors      jsonb,
    created_at  timestamptz not null,
    finished_at timestamptz not null,
    primary key (client_id, job_id)
);
create index finished_jobs_by_time on finished_jobs (finished_at);
create index finished_jobs_of_lead on finished_jobs (lead_id) where lead_id is not null;
comment on table finished_jobs is 'Jobs that are over, for a week: those of no lead, those that failed before, and those that people gave up. A step that went well at once is told by its lead''s history.';
comment on column finished_jobs.job_id is 'A job that there is one of has its latest end here.';
comment on column finished_jobs.args is 'Its arguments, as they were stored: those of a step are its lead and its attempt.';
