-- Seats for conversations of our own agent, over all processes.

alter table nodes add column seats integer not null default 0;
alter table nodes add column address text;
comment on column nodes.seats is 'How many conversations it holds at once; 0 while it drains.';
comment on column nodes.address is 'Where other processes pass carriers'' sockets on to; null if it takes none.';

alter table campaign_revisions add column playbook text generated always as (rules #>> '{agent,playbook}') stored;
comment on column campaign_revisions.playbook is 'What our own agent goes by; null where somebody else talks.';

create table seat_grants (
    client_id  uuid primary key references clients,
    seats      integer not null,
    until      timestamptz not null,
    constraint seat_grants_are_not_negative check (seats >= 0)
);
comment on table seat_grants is 'How many calls of a client may be under way at once that our own agent is to talk on.';
comment on column seat_grants.until is 'When it ends unless it is renewed: nobody renews it once no process holds conversations.';
