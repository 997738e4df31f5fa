-- Flows are kept with playbooks: named, versioned and looked at alike.

alter table playbooks add column is_flow boolean not null default false;
comment on column playbooks.is_flow is 'Whether it is a flow of steps, which calls go by that no agent holds.';
