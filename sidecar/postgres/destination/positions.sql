-- How far each sync has come in this database. A load commits its rows together with its position here.

-- The run of a sync that may commit: a later one takes it over, and the earlier one can commit no more.
create table if not exists destination_sync (
    sync_id text primary key,
    run text not null,
    task_id text not null,
    started_at timestamp with time zone not null default now()
);

-- The Pod of a shard that may commit, where a read is shared out (destination_sync names the whole read then): as above.
create table if not exists destination_shard (
    sync_id text not null,
    shard integer not null,
    run text not null,
    started_at timestamp with time zone not null default now(),
    primary key (sync_id, shard)
);

-- The states that the connector may go on from, of which all rows are there: in the tables, or in the tables of a new generation.
create table if not exists destination_state (
    sync_id text not null,
    key text not null,                  -- of a stream, _GLOBAL_STATE or _LEGACY_STATE
    namespace text not null,            -- of the stream; empty of a state of all streams
    name text not null,
    state text not null,                -- as the connector sent it
    digest text not null,               -- of its meaning
    run text not null,                  -- that committed it,
    sequence bigint not null,           -- and as which of its states
    updated_at timestamp with time zone not null default now(),
    primary key (sync_id, key)
);

-- The streams that were loaded.
create table if not exists destination_stream (
    sync_id text not null,
    namespace text not null,
    name text not null,
    load text not null,                 -- the last load that was committed
    starts boolean not null default false, -- the stream starts over, and no row of it is there yet
    generation_schema text,             -- the table that takes the rows of a stream that started over, until it is complete
    generation text,
    target_digest text,                 -- of the state that the stream's own table is at meanwhile
    updated_at timestamp with time zone not null default now(),
    primary key (sync_id, namespace, name)
);
