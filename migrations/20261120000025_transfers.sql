-- Calls that are handed to somebody else, by order.

create type transfer_state as enum ('ordered', 'asked', 'under_way', 'done', 'refused', 'unknown');

alter table attempts
    add column transfer_number smallint,
    add column transfer_to text,
    add column transfer_state transfer_state,
    add constraint attempts_transfer_is_whole check (num_nulls(transfer_number, transfer_to, transfer_state) in (0, 3)),
    add constraint attempts_transfers_start_at_1 check (transfer_number is null or transfer_number >= 1),
    add constraint attempts_only_calls_are_transferred check (
        transfer_number is null or ledger in ('bound', 'bound_late'));
comment on column attempts.transfer_number is 'The place of the latest transfer among those of the call; null if none was ordered.';
comment on column attempts.transfer_to is 'Whom the latest transfer hands the call to: a number in E.164, or a SIP address.';
comment on column attempts.transfer_state is 'Where the latest transfer stands.';
