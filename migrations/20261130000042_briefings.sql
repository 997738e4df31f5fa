-- What whoever a call is handed to is told before they are put through.
alter table attempts
    add column transfer_briefing text,
    add constraint attempts_briefings_are_of_transfers check (transfer_briefing is null or transfer_number is not null);
comment on column attempts.transfer_briefing is 'What whom the latest transfer hands the call to is told first; null if nothing. It tells of the person.';
