CREATE TABLE outbox (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     TEXT NOT NULL,
    type         TEXT NOT NULL,
    key          TEXT NOT NULL,
    bucket       INT NOT NULL,
    event        TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    retry_count  INT NOT NULL DEFAULT 0,
    last_error   TEXT NOT NULL DEFAULT '',
    retry_at     TIMESTAMPTZ,
    dead_at      TIMESTAMPTZ,
    published_at TIMESTAMPTZ
);
CREATE INDEX outbox_pending ON outbox (bucket, id) WHERE published_at IS NULL;
CREATE INDEX outbox_key ON outbox (key, id) WHERE published_at IS NULL;
CREATE INDEX outbox_failed ON outbox (key, id) WHERE published_at IS NULL AND retry_at IS NOT NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- A relay holds the buckets whose events it publishes by locking their rows here.
CREATE TABLE outbox_bucket (id INT PRIMARY KEY);
INSERT INTO outbox_bucket SELECT generate_series(0, 31);
