-- Jobs with an error are looked for by its text. They are few, and among all that wait nobody would find them.
create index jobs_failed on jobs (client_id, job_id) where last_error is not null;
