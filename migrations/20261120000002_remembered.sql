-- What came of earlier attempts, how often reservations came to nothing, and what a carrier said
-- of a second call are remembered; reads are set aside for questions under way.

alter table workflows
    add column recorded smallint not null default 0,
    add column withdrawals smallint not null default 0;
update workflows w set recorded = latest.number
from (
    select client_id, lead_id, max(number) as number from attempts
    where outcome is not null group by client_id, lead_id
) latest
where w.client_id = latest.client_id and w.lead_id = latest.lead_id;
alter table workflows
    add constraint workflows_recorded_is_an_attempt check (recorded between 0 and attempts),
    add constraint workflows_withdrawals_are_not_negative check (withdrawals >= 0);
comment on column workflows.recorded is 'The latest attempt of which an outcome is recorded; 0 while none is.';
comment on column workflows.withdrawals is 'Reservations in a row that were withdrawn, for their backoff.';

alter table attempts
    add column second_call_id text,
    add constraint attempts_second_call_differs check (
        second_call_id is null or (call_id is not null and second_call_id <> call_id));
comment on column attempts.second_call_id is 'Another call that the carrier named for it, which must be impossible; alerted once.';

alter table accounts
    add column reads_held integer not null default 0,
    add constraint accounts_reads_held_are_not_negative check (reads_held >= 0);
comment on column accounts.reads is 'Status reads made in the present window.';
comment on column accounts.reads_held is 'Status reads set aside in the present window, for questions under way.';
