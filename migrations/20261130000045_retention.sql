-- What is too old is removed, and it is known up to when.

alter table installation
    add column history_since timestamptz,
    add column results_since timestamptz;
comment on column installation.history_since is 'What happened to leads before is no longer kept; null while all of it is.';
comment on column installation.results_since is 'What calls yielded before is no longer kept; null while all of it is.';
