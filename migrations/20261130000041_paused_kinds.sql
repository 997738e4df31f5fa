-- Kinds of jobs that nobody begins for now, in the whole installation.

create table paused_kinds (
    kind       text primary key,
    actor      text not null,
    reason     text,
    paused_at  timestamptz not null
);
comment on table paused_kinds is 'Kinds of jobs that no process claims. Those that run go on to their end; what is queued meanwhile waits.';
comment on column paused_kinds.actor is 'Who paused it.';
comment on column paused_kinds.reason is 'Why, in their words.';
