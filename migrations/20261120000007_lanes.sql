-- Lanes are told apart by where their people may be, and keep what their calling hours came to.
-- Those that exist keep their leads: no place is known, and the gate decides about each lead.

alter table lanes
    add column place text not null default '',
    add column opens_at timestamptz,
    add column closes_at timestamptz,
    add column why jsonb,
    add column revision integer,
    add column edition text,
    add constraint lanes_are_distinct unique (client_id, campaign_id, place),
    add constraint lanes_are_computed_from_both check ((revision is null) = (edition is null)),
    add constraint lanes_stand_somewhere_once_computed check (
        (revision is not null) = (opens_at is not null or why is not null)),
    add constraint lanes_close_only_when_open check (closes_at is null or (opens_at is not null and why is null)),
    set (fillfactor = 70);
-- A campaign's lanes are found by the constraint's index, which no round of admission touches.
drop index lanes_of_campaign;
comment on column lanes.place is 'Where its people may be: zones, a semicolon, regions. Empty: not known, or not told apart; such a lane is always open, and the gate decides about each lead.';
comment on column lanes.opens_at is 'Since when it is open or, with a why, from when on. Null while it is not computed, or held until somebody mends it.';
comment on column lanes.closes_at is 'Open: the first instant that is not; null if it never closes.';
comment on column lanes.why is 'Why it is not open; null while it is.';
comment on column lanes.revision is 'The revision of the campaign''s rules that this was computed from; null while it is not computed.';
comment on column lanes.edition is 'The versions of all other data that this was computed from.';
