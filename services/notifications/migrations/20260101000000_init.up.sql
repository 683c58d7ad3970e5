CREATE TABLE "messages" (
    id text PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);
