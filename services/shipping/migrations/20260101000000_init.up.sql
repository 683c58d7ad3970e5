CREATE TABLE "shipments" (
    order_id text PRIMARY KEY CHECK (order_id <> ''),
    id text NOT NULL,
    state text NOT NULL CHECK (state IN ('absent', 'promised', 'arranged', 'confirmed', 'cancelled')),
    customer_id text NOT NULL,
    address text NOT NULL,
    lines text NOT NULL, -- JSON, since nobody looks for them
    created_at timestamptz NOT NULL,
    CHECK (state IN ('absent', 'cancelled') OR id <> '')
);
