-- Conversations of our own agent, recorded.

alter table conversations add column recording text;
comment on column conversations.recording is 'Where the recording lies, below the directory of recordings; null if there is none.';
