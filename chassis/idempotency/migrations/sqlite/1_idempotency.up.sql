CREATE TABLE idempotency (
    id           TEXT PRIMARY KEY,
    operation    TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    claim        TEXT NOT NULL,
    claimed_at   TIMESTAMP NOT NULL,
    lease_until  TIMESTAMP NOT NULL,
    expires_at   TIMESTAMP NOT NULL,
    completed_at TIMESTAMP,
    status       INT NOT NULL DEFAULT 0,
    header       TEXT NOT NULL DEFAULT '',
    body         BLOB
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);
