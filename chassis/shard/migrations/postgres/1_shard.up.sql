-- In every shard: what this database may be written for. The row is checked within each write's own transaction.
CREATE TABLE shard_partition (
    name    TEXT PRIMARY KEY,
    state   TEXT NOT NULL,
    epoch   BIGINT NOT NULL,
    peer    TEXT NOT NULL DEFAULT '',
    attempt BIGINT NOT NULL DEFAULT 0,
    cursor  TEXT NOT NULL DEFAULT ''
);

-- In every shard: keys written while their partition is copied away, to be copied again.
CREATE TABLE shard_dirty (
    partition TEXT NOT NULL,
    id        TEXT NOT NULL,
    mark      BIGINT NOT NULL,
    PRIMARY KEY (partition, id)
);

-- In the directory: where each partition is to be looked for first, and the moves that are not finished.
CREATE TABLE shard_layout (strategy TEXT PRIMARY KEY);
CREATE TABLE shard_directory (
    partition TEXT PRIMARY KEY,
    shard     TEXT NOT NULL,
    epoch     BIGINT NOT NULL,
    attempt   BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE shard_move (
    partition TEXT PRIMARY KEY,
    source    TEXT NOT NULL,
    target    TEXT NOT NULL,
    epoch     BIGINT NOT NULL
);
