-- The six tables as Jitsu's console declares them (webapps/console/prisma/schema.prisma). Columns and keys are that schema's; the defaults
-- help those who write by hand. Applied in one transaction under an advisory lock, and only when a table is missing.

create table if not exists source_spec (
    package   text           not null,
    version   text           not null,
    specs     jsonb,
    timestamp timestamptz(3) not null default now(),
    error     text,
    primary key (package, version)
);

create table if not exists source_check (
    package     text           not null,
    version     text           not null,
    key         text           primary key,
    status      text           not null, -- SUCCESS, FAILED
    description text,
    timestamp   timestamptz(3) not null default now()
);

create table if not exists source_catalog (
    package     text           not null,
    version     text           not null,
    key         text           not null,
    catalog     jsonb,
    timestamp   timestamptz(3) not null default now(),
    status      text           not null, -- RUNNING, SUCCESS, FAILED
    description text,
    primary key (package, version, key)
);

create table if not exists source_state (
    sync_id   text           not null,
    stream    text           not null, -- <namespace>.<name>, <name>, _GLOBAL_STATE or _LEGACY_STATE
    state     jsonb          not null,
    timestamp timestamptz(3) not null default now(),
    primary key (sync_id, stream)
);

create table if not exists source_task (
    sync_id     text           not null,
    task_id     text           primary key,
    package     text           not null,
    version     text           not null,
    started_at  timestamptz(3) not null default now(),
    updated_at  timestamptz(3) not null default now(),
    started_by  jsonb,
    status      text           not null, -- PENDING, RUNNING, SUCCESS, PARTIAL, FAILED, CANCELLED, TIME_EXCEEDED
    description text,
    error       text,
    metrics     jsonb
);
create index if not exists source_task_sync_id_idx on source_task (sync_id);
create index if not exists source_task_started_at_idx on source_task (started_at);

create table if not exists task_log (
    id        uuid           primary key,
    level     text           not null,
    logger    text           not null,
    message   text           not null,
    sync_id   text           not null,
    task_id   text           not null,
    timestamp timestamptz(3) not null default now()
);
create index if not exists task_log_sync_id_idx on task_log (sync_id);
create index if not exists task_log_task_id_idx on task_log (task_id);
create index if not exists task_log_timestamp_idx on task_log (timestamp);
