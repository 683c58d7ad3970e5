DROP INDEX "orders_of_customers";

--bun:split

ALTER TABLE "orders" DROP COLUMN settled_at;

--bun:split

ALTER TABLE "orders" DROP COLUMN shipping_address;

--bun:split

ALTER TABLE "orders" DROP COLUMN payment_method;

--bun:split

ALTER TABLE "orders" DROP COLUMN reason;
