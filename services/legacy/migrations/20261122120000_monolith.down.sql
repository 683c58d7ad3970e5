DROP TABLE "monolith_suppliers";
DROP TABLE "monolith_products";
