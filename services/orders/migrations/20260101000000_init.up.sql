CREATE TABLE "orders" (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    customer_name text NOT NULL,
    status text NOT NULL,
    total_amount text NOT NULL,
    total_currency text NOT NULL,
    created_at timestamptz NOT NULL
);

--bun:split

CREATE TABLE "order_items" (
    order_id text NOT NULL REFERENCES "orders" (id) ON DELETE CASCADE,
    position integer NOT NULL,
    product_id text NOT NULL,
    name text NOT NULL,
    quantity integer NOT NULL,
    unit_amount text NOT NULL,
    unit_currency text NOT NULL,
    PRIMARY KEY (order_id, position)
);

--bun:split

-- What user.created tells of the customers, for the time when the users service is away.
CREATE TABLE "customers" (
    id text PRIMARY KEY,
    name text NOT NULL
);
