-- Conversations of our own agent.

create table conversations (
    client_id  uuid not null,
    lead_id    uuid not null,
    number     smallint not null,
    node_id    uuid not null,
    playbook   text not null,
    version    integer not null,
    known      jsonb not null default '{}',
    began_at   timestamptz not null,
    ended_at   timestamptz,
    primary key (client_id, lead_id, number)
) with (fillfactor = 80);
create index conversations_under_way on conversations (client_id, began_at) where ended_at is null;
comment on table conversations is 'Each call that an agent of ours has held; a call is held once.';
comment on column conversations.node_id is 'Whose process holds it, or held it last.';
comment on column conversations.version is 'Of the playbook.';
comment on column conversations.known is 'What was found out so far, by the names of the playbook''s fields.';
comment on column conversations.ended_at is 'Set once what it yielded is recorded.';

create table turns (
    client_id uuid not null,
    lead_id   uuid not null,
    number    smallint not null,
    turn      smallint not null,
    spoken    jsonb not null,
    primary key (client_id, lead_id, number, turn)
);
comment on table turns is 'What was said in conversations that are under way; once one has ended, it stands in its results.';
