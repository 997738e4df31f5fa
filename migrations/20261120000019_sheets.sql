-- Shared Google Sheets that campaigns take their leads from.

create type sheet_result as enum ('taken_in', 'unchanged', 'failed');
create table sheets (
    client_id   uuid not null,
    sheet_id    uuid not null,
    campaign_id uuid not null,
    link        text not null,
    options     jsonb not null,
    cron        text,
    zone        text,
    next_at     timestamptz,
    refresh_id  uuid,
    asked_at    timestamptz,
    failures    smallint not null default 0,
    last_at     timestamptz,
    last_result sheet_result,
    last_error  text,
    last_title  text,
    last_sha256 bytea,
    last_import uuid,
    actor       text not null,
    created_at  timestamptz not null,
    removed_at  timestamptz,
    primary key (client_id, sheet_id),
    foreign key (client_id, campaign_id) references campaigns,
    foreign key (client_id, last_import) references imports,
    constraint sheets_link_is_not_empty check (link <> ''),
    constraint sheets_have_a_zone_iff_a_cron check ((zone is null) = (cron is null)),
    constraint sheets_are_due_only_by_a_cron check (next_at is null or cron is not null),
    constraint sheets_are_left_alone_once_removed check (
        removed_at is null or (next_at is null and refresh_id is null)),
    constraint sheets_refreshes_were_asked_for check ((asked_at is null) = (refresh_id is null)),
    constraint sheets_count_failures_upwards check (failures >= 0),
    constraint sheets_have_a_result_iff_read check ((last_result is null) = (last_at is null)),
    constraint sheets_have_an_error_iff_failed check (
        (last_error is not null) = (last_result is not null and last_result = 'failed')),
    constraint sheets_digest_is_sha_256 check (last_sha256 is null or octet_length(last_sha256) = 32),
    constraint sheets_know_what_was_taken_in check (last_sha256 is null or last_import is not null)
);
create index sheets_of_campaign on sheets (campaign_id, sheet_id);
create unique index sheets_are_linked_once on sheets (campaign_id, link, client_id) where removed_at is null;
create index sheets_due on sheets (next_at) where next_at is not null;
comment on table sheets is 'Google Sheets that are the source of a campaign''s leads; each refresh that finds a change begins an import.';
comment on column sheets.link is 'As it is shown: id, tab and part, and nothing else of what was pasted.';
comment on column sheets.options is 'What whoever linked it said of its rows, as in imports.';
comment on column sheets.cron is 'When it is refreshed by itself, six fields: second, minute, hour, day of month, month, day of week. Null: never.';
comment on column sheets.zone is 'By whose clock.';
comment on column sheets.next_at is 'Null without a schedule, and once it has no further time.';
comment on column sheets.refresh_id is 'The refresh that is under way, or that waits to be tried again; a job that bears another has nothing to do.';
comment on column sheets.asked_at is 'When that refresh was asked for.';
comment on column sheets.failures is 'How often in a row it failed for what may pass.';
comment on column sheets.last_at is 'When the sheet was last read, or could not be.';
comment on column sheets.last_error is 'Why it could not be, and what to do about it.';
comment on column sheets.last_title is 'What Google last called it: the document and its tab.';
comment on column sheets.last_sha256 is 'Of the content last taken in; null once the options were changed, so that the next refresh takes it in anew.';
comment on column sheets.last_import is 'The import that took it in.';
comment on column sheets.actor is 'Who linked it, or last changed how; imports are theirs.';
comment on column sheets.removed_at is 'When it was unlinked. Its leads stay.';
