ALTER TABLE "monolith_suppliers" ALTER COLUMN supplier_id TYPE text COLLATE "default";
ALTER TABLE "monolith_products" ALTER COLUMN product_id TYPE text COLLATE "default";
