DROP INDEX "orders_drafts";

--bun:split

-- Without the columns nobody could tell a draft from an order.
DELETE FROM "order_items" WHERE order_id IN (SELECT id FROM "orders" WHERE status = 'draft');

--bun:split

DELETE FROM "orders" WHERE status = 'draft';

--bun:split

ALTER TABLE "orders" DROP COLUMN bill_reason;

--bun:split

ALTER TABLE "orders" DROP COLUMN bill_status;

--bun:split

ALTER TABLE "orders" DROP COLUMN bill_method;

--bun:split

ALTER TABLE "orders" DROP COLUMN bill_attempt;

--bun:split

ALTER TABLE "orders" DROP COLUMN paid_at;

--bun:split

ALTER TABLE "orders" DROP COLUMN confirmed_at;
