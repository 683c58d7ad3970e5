CREATE TABLE eventstore_event (
    position BIGINT PRIMARY KEY,
    stream   TEXT NOT NULL,
    version  BIGINT NOT NULL,
    type     TEXT NOT NULL,
    schema   INT NOT NULL,
    data     TEXT NOT NULL,
    metadata TEXT NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    UNIQUE (stream, version)
);

-- The last position. Who appends holds this row until the commit, so positions become visible in their order.
CREATE TABLE eventstore_head (position BIGINT NOT NULL);
INSERT INTO eventstore_head VALUES (0);

CREATE TABLE eventstore_command (
    stream   TEXT NOT NULL,
    command  TEXT NOT NULL,
    version  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (stream, command)
);

CREATE TABLE eventstore_snapshot (
    stream   TEXT NOT NULL,
    schema   INT NOT NULL,
    version  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    state    TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (stream, schema)
);

CREATE TABLE eventstore_projection (
    name            TEXT NOT NULL,
    generation      BIGINT NOT NULL,
    state           TEXT NOT NULL,
    position        BIGINT NOT NULL DEFAULT 0,
    failures        INT NOT NULL DEFAULT 0,
    failed_position BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    retry_at        TIMESTAMPTZ,
    changed_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, generation)
);
CREATE UNIQUE INDEX eventstore_projection_live ON eventstore_projection (name) WHERE state = 'live';
CREATE UNIQUE INDEX eventstore_projection_building ON eventstore_projection (name) WHERE state = 'building';
