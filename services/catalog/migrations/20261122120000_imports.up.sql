CREATE TABLE "imports" (
    id text PRIMARY KEY,
    status text NOT NULL,
    byte_offset bigint NOT NULL,
    line bigint NOT NULL,
    mode integer NOT NULL,
    columns text NOT NULL,
    imported bigint NOT NULL,
    failed bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE "import_faults" (
    import_id text NOT NULL REFERENCES "imports" (id) ON DELETE CASCADE,
    line bigint NOT NULL,
    field text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (import_id, line)
);
