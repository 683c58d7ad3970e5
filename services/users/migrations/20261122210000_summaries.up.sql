-- Every settled order, as it was told of: what summaries are made of, and made anew.
CREATE TABLE "settled_orders" (
    order_id text PRIMARY KEY,
    user_id text NOT NULL,
    completed boolean NOT NULL, -- or cancelled
    amount text NOT NULL,
    currency text NOT NULL,
    settled_at timestamptz NOT NULL
);
CREATE INDEX "settled_orders_user" ON "settled_orders" (user_id, order_id);

CREATE TABLE "summaries" (
    user_id text PRIMARY KEY,
    version bigint NOT NULL, -- settled orders that it knows of
    order_count bigint NOT NULL, -- completed ones
    last_order_at timestamptz,
    generation bigint NOT NULL -- of the code that made it from the orders
);
CREATE TABLE "summary_totals" (
    user_id text NOT NULL,
    currency text NOT NULL,
    amount text NOT NULL,
    PRIMARY KEY (user_id, currency)
);
CREATE TABLE "summary_generation" (
    one integer PRIMARY KEY CHECK (one = 1),
    generation bigint NOT NULL -- what all summaries are at least of
);
INSERT INTO "summary_generation" (one, generation) VALUES (1, 1);
