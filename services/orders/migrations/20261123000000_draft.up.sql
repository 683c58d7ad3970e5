-- Drafts, and invoices that are paid later. Programs that do not know of them leave both alone.
ALTER TABLE "orders" ADD COLUMN confirmed_at timestamptz;

--bun:split

ALTER TABLE "orders" ADD COLUMN paid_at timestamptz;

--bun:split

ALTER TABLE "orders" ADD COLUMN bill_attempt integer NOT NULL DEFAULT 0;

--bun:split

ALTER TABLE "orders" ADD COLUMN bill_method text NOT NULL DEFAULT '';

--bun:split

ALTER TABLE "orders" ADD COLUMN bill_status text NOT NULL DEFAULT '';

--bun:split

ALTER TABLE "orders" ADD COLUMN bill_reason text NOT NULL DEFAULT '';

--bun:split

CREATE INDEX "orders_drafts" ON "orders" (created_at) WHERE status = 'draft';
