ALTER TABLE "orders" ADD COLUMN reason text NOT NULL DEFAULT '';

--bun:split

ALTER TABLE "orders" ADD COLUMN payment_method text NOT NULL DEFAULT 'invoice';

--bun:split

ALTER TABLE "orders" ADD COLUMN shipping_address text NOT NULL DEFAULT '';

--bun:split

ALTER TABLE "orders" ADD COLUMN settled_at timestamptz;

--bun:split

CREATE INDEX "orders_of_customers" ON "orders" (customer_id, created_at);
