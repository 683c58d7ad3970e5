-- What the users are spread by, and in which shard it stands where they are: fixed at the first start.
CREATE TABLE "sharding" (
    one integer PRIMARY KEY CHECK (one = 1),
    strategy text NOT NULL,
    directory text NOT NULL
);

-- Whose an address is. A shard knows only its own users, so addresses are unique here: claimed before the user is kept in its
-- shard, and confirmed afterwards.
CREATE TABLE "emails" (
    email text PRIMARY KEY, -- in lower case
    user_id text NOT NULL UNIQUE,
    "partition" text NOT NULL, -- of the user; '' for one who is still in the table users, from before there were shards
    request text NOT NULL DEFAULT '', -- the hash of the idempotency key that the user was made with
    claimed_at timestamptz NOT NULL,
    confirmed boolean NOT NULL
);

-- The users from before stay in their table, where replicas of the version before look for them, until a later change drops it.
ALTER TABLE "users" ADD COLUMN moved boolean NOT NULL DEFAULT false;
CREATE INDEX "users_to_move" ON "users" (id) WHERE NOT moved;
INSERT INTO "emails" (email, user_id, "partition", claimed_at, confirmed) SELECT email, id, '', created_at, true FROM "users";
