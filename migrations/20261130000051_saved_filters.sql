-- Views of lists that people come back to.

create type filtered_page as enum ('leads', 'calls', 'jobs');

create table saved_filters (
    filter_id  uuid primary key,
    key_id     uuid not null references api_keys,
    page       filtered_page not null,
    name       text not null,
    query      text not null,
    created_at timestamptz not null,
    constraint saved_filters_name_is_not_empty check (name <> ''),
    constraint saved_filters_name_is_unique unique (key_id, page, name)
);
comment on table saved_filters is 'Filters of the dashboard''s lists that somebody saved under a name, by the key that they sign in with.';
comment on column saved_filters.page is 'Which list: the leads or the calls of a campaign, or the jobs of a client; of any.';
comment on column saved_filters.query is 'What the list is asked for, as it stands in its address behind the question mark.';
