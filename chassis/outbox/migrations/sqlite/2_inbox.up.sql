CREATE TABLE inbox (
    consumer   TEXT NOT NULL,
    source     TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    handled_at TIMESTAMP NOT NULL,
    PRIMARY KEY (consumer, source, event_id)
);
CREATE INDEX inbox_handled ON inbox (handled_at);
