ALTER TABLE "users" ADD COLUMN password_hash text NOT NULL DEFAULT ''; -- argon2id; '' for a user who cannot log in

CREATE TABLE "clients" (
    id text PRIMARY KEY,
    secret_hash text NOT NULL, -- argon2id
    scopes text NOT NULL, -- separated by spaces
    created_at timestamptz NOT NULL
);

CREATE TABLE "signing_keys" (
    generation bigint PRIMARY KEY, -- of two replicas that make the next key, one finds it taken
    id text NOT NULL UNIQUE,
    wrapped text NOT NULL, -- the private key, encrypted, in base64
    begins_at timestamptz NOT NULL
);
