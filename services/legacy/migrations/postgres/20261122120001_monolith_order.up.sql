-- Whoever pages through the monolith compares ids byte by byte, as SQLite does.
ALTER TABLE "monolith_products" ALTER COLUMN product_id TYPE text COLLATE "C";
ALTER TABLE "monolith_suppliers" ALTER COLUMN supplier_id TYPE text COLLATE "C";
