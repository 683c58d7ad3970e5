CREATE TABLE idempotency (
    id           TEXT PRIMARY KEY,
    operation    TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    claim        TEXT NOT NULL,
    claimed_at   TIMESTAMPTZ NOT NULL,
    lease_until  TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    completed_at TIMESTAMPTZ,
    status       INT NOT NULL DEFAULT 0,
    header       TEXT NOT NULL DEFAULT '',
    body         BYTEA
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);
