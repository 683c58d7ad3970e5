CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id     TEXT NOT NULL,
    type         TEXT NOT NULL,
    key          TEXT NOT NULL,
    bucket       INT NOT NULL,
    event        TEXT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    retry_count  INT NOT NULL DEFAULT 0,
    last_error   TEXT NOT NULL DEFAULT '',
    retry_at     TIMESTAMP,
    dead_at      TIMESTAMP,
    published_at TIMESTAMP
);
CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_key ON outbox (key, id) WHERE published_at IS NULL;
CREATE INDEX outbox_failed ON outbox (key, id) WHERE published_at IS NULL AND retry_at IS NOT NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
