-- The coordinator's log.
CREATE TABLE twophase (
    name        TEXT NOT NULL,
    id          TEXT NOT NULL,
    state       TEXT NOT NULL,
    data        TEXT NOT NULL DEFAULT 'null',
    members     TEXT NOT NULL DEFAULT '[]',
    pending     TEXT NOT NULL DEFAULT '[]',
    attempts    INT NOT NULL DEFAULT 0,
    cause       TEXT NOT NULL DEFAULT '',
    last_error  TEXT NOT NULL DEFAULT '',
    origin      TEXT NOT NULL DEFAULT '{}',
    created_at  TIMESTAMP NOT NULL,
    deadline    TIMESTAMP NOT NULL,
    decided_at  TIMESTAMP,
    finished_at TIMESTAMP,
    fence       BIGINT NOT NULL DEFAULT 0,
    due_at      TIMESTAMP,
    PRIMARY KEY (name, id)
);
CREATE INDEX twophase_due ON twophase (name, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX twophase_open ON twophase (name, state) WHERE finished_at IS NULL;
CREATE INDEX twophase_finished ON twophase (name, finished_at) WHERE finished_at IS NOT NULL;

-- What a participant knows of transactions. In a prepared transaction of PostgreSQL the row that says committed is written
-- beside the work, so it appears when that commits.
CREATE TABLE twophase_vote (
    participant TEXT NOT NULL,
    txn         TEXT NOT NULL,
    state       TEXT NOT NULL,
    data        TEXT NOT NULL DEFAULT 'null',
    at          TIMESTAMP NOT NULL,
    PRIMARY KEY (participant, txn)
);
CREATE INDEX twophase_vote_at ON twophase_vote (participant, state, at);
