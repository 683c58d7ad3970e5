CREATE TABLE "monolith_products" (
    product_id text PRIMARY KEY,
    product_code text NOT NULL,
    title text NOT NULL,
    long_text text NOT NULL,
    price_cents bigint NOT NULL,
    currency_code text NOT NULL,
    revision integer NOT NULL,
    entered_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE "monolith_suppliers" (
    supplier_id text PRIMARY KEY,
    company_name text NOT NULL,
    city text NOT NULL
);

INSERT INTO "monolith_suppliers" (supplier_id, company_name, city) VALUES
    ('sup-001', 'Adler & Söhne Werkzeuge', 'Remscheid'),
    ('sup-002', 'Baltic Timber', 'Gdańsk'),
    ('sup-003', 'Corvin Papier', 'Leipzig'),
    ('sup-004', 'Delmonte Ceramiche', 'Faenza'),
    ('sup-005', 'Escribano Cueros', 'Ubrique'),
    ('sup-006', 'Fjord Wool', 'Bergen'),
    ('sup-007', 'Galway Candles', 'Galway'),
    ('sup-008', 'Hoffmann Glas', 'Jena'),
    ('sup-009', 'Istrian Olive Press', 'Poreč'),
    ('sup-010', 'Jansen Lampen', 'Eindhoven'),
    ('sup-011', 'Kivi Design', 'Tampere'),
    ('sup-012', 'L''Atelier du Lin', 'Lille'),
    ('sup-013', 'Moravia Seating', 'Brno'),
    ('sup-014', 'Nordhav Lures', 'Aarhus'),
    ('sup-015', 'Ostrava Steel Goods', 'Ostrava'),
    ('sup-016', 'Porto Cork Works', 'Porto'),
    ('sup-017', 'Quercus Cooperage', 'Cognac'),
    ('sup-018', 'Rila Roses', 'Kazanlak'),
    ('sup-019', 'Sheffield Blades', 'Sheffield'),
    ('sup-020', 'Thessaly Honey', 'Larissa');
