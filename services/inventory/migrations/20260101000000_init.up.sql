-- What is reserved is on the shelf. The service keeps to it by locking the rows that it reads; the check stands behind it.
CREATE TABLE "stock" (
    product_id text PRIMARY KEY,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    CHECK (reserved >= 0 AND reserved <= on_hand)
);

--bun:split

CREATE TABLE "reservations" (
    order_id text PRIMARY KEY CHECK (order_id <> ''),
    state text NOT NULL CHECK (state IN ('absent', 'promised', 'reserved', 'taken', 'released')),
    changed_at timestamptz NOT NULL
);

--bun:split

CREATE TABLE "reservation_lines" (
    order_id text NOT NULL REFERENCES "reservations" (order_id) ON DELETE CASCADE,
    product_id text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
);
