CREATE TABLE "users" (
    id text COLLATE "C" PRIMARY KEY,
    "partition" text NOT NULL,
    email text NOT NULL, -- in lower case; unique by the table emails of the service's own database
    name text NOT NULL,
    sort_key text COLLATE "C" NOT NULL, -- the name as it is sorted
    region text NOT NULL,
    avatar text NOT NULL DEFAULT '',
    password_hash text NOT NULL DEFAULT '', -- argon2id; '' for a user who cannot log in
    created_at timestamptz NOT NULL,
    void boolean NOT NULL DEFAULT false -- no user: the id of a registration that was given up, which nobody can have any more
);
CREATE INDEX "users_partition" ON "users" ("partition", id);
CREATE INDEX "users_name" ON "users" (sort_key, id);
