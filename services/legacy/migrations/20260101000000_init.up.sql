-- One row for each reference that has arrived, and for each that was refunded before it did. No card is kept, only how it behaves.
CREATE TABLE "payments" (
    reference text PRIMARY KEY,
    transaction_id text NOT NULL UNIQUE,
    arrived boolean NOT NULL,
    status_code integer NOT NULL,
    message text NOT NULL,
    behaviour text NOT NULL,
    last4 text NOT NULL,
    amount_cents bigint NOT NULL,
    currency_code text NOT NULL,
    created_at timestamptz NOT NULL,
    refunded_at timestamptz
);
