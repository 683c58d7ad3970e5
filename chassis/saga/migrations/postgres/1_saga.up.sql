CREATE TABLE saga (
    name        TEXT NOT NULL,
    id          TEXT NOT NULL,
    state       TEXT NOT NULL,
    resumes     TEXT NOT NULL DEFAULT '',
    step        TEXT NOT NULL,
    done        TEXT NOT NULL DEFAULT '[]',
    data        TEXT NOT NULL,
    attempts    INT NOT NULL DEFAULT 0,
    harmless    INT NOT NULL DEFAULT 0,
    since       TIMESTAMPTZ NOT NULL,
    cause       TEXT NOT NULL DEFAULT '',
    last_error  TEXT NOT NULL DEFAULT '',
    origin      TEXT NOT NULL DEFAULT '{}',
    created_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    fence       BIGINT NOT NULL DEFAULT 0,
    due_at      TIMESTAMPTZ,
    PRIMARY KEY (name, id)
);
CREATE INDEX saga_due ON saga (name, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX saga_state ON saga (name, state) WHERE finished_at IS NULL;
CREATE INDEX saga_finished ON saga (name, finished_at) WHERE finished_at IS NOT NULL;

-- One row for each attempt whose outcome is known.
CREATE TABLE saga_log (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    TEXT NOT NULL,
    id      TEXT NOT NULL,
    step    TEXT NOT NULL,
    action  TEXT NOT NULL,
    attempt INT NOT NULL,
    error   TEXT NOT NULL DEFAULT '',
    at      TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (name, id) REFERENCES saga (name, id) ON DELETE CASCADE
);
CREATE INDEX saga_log_saga ON saga_log (name, id, seq);
