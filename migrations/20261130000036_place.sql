alter table installation add column place text;
comment on column installation.place is 'Which server, database and line of its history this was last used at: system identifier, oid and timeline. At another one, commits may be missing: every client is paused first, and only then this is changed. Null until the first process has looked.';
