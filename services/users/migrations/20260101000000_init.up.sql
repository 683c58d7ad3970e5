CREATE TABLE "users" (
    id text PRIMARY KEY,
    email text NOT NULL UNIQUE, -- in lower case
    name text NOT NULL,
    created_at timestamptz NOT NULL
);
