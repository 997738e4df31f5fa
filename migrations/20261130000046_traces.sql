-- A lead's trace bears the lead's id. Nothing ever wrote this column, which stays while processes of older versions run.

comment on column workflows.trace is 'Not used: the trace of a lead bears the lead''s id.';
