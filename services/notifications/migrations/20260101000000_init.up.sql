-- One row for each event that a customer is written to about. It is kept in the transaction that marks the event as handled.
CREATE TABLE "messages" (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    kind text NOT NULL,
    order_id text NOT NULL,
    amount text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,
    -- how often somebody set out to send it, and when it is next somebody's turn; null: nothing is left to do
    attempts integer NOT NULL,
    due_at timestamptz,
    failure text NOT NULL,
    traceparent text NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz
);

--bun:split

CREATE INDEX "messages_of_customer" ON "messages" (customer_id, created_at);

--bun:split

CREATE INDEX "messages_due" ON "messages" (due_at) WHERE due_at IS NOT NULL;

--bun:split

-- Whom to write to. An address is here and nowhere else.
CREATE TABLE "customers" (
    id text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL
);
