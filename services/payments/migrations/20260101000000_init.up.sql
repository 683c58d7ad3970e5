-- One row for each order that is charged, promised or, without an id, refunded too early.
CREATE TABLE "payments" (
    order_id text PRIMARY KEY,
    id text NOT NULL,
    customer_id text NOT NULL,
    method text NOT NULL,
    card text NOT NULL,
    amount text NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    reference text NOT NULL,
    tries integer NOT NULL,
    bound boolean NOT NULL,
    announced boolean NOT NULL,
    unanswered boolean NOT NULL,
    transaction_id text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    -- how often somebody set out to ask the gateway, and when it is next somebody's turn; null: nothing is left to ask
    asked integer NOT NULL,
    due_at timestamptz
);

--bun:split

CREATE INDEX "payments_of_customer" ON "payments" (customer_id, id);

--bun:split

CREATE INDEX "payments_due" ON "payments" (due_at) WHERE due_at IS NOT NULL;

--bun:split

-- Cards on file, by the gateway's name. No number, no date, no code.
CREATE TABLE "payment_methods" (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    brand text NOT NULL,
    last4 text NOT NULL,
    card text NOT NULL,
    created_at timestamptz NOT NULL
);

--bun:split

-- What was voted and decided about transactions of two phases. An aborted one may never have been prepared.
CREATE TABLE "transactions" (
    id text PRIMARY KEY,
    order_id text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    changed_at timestamptz NOT NULL
);
