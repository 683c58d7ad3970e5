DROP TABLE "reservation_lines";

--bun:split

DROP TABLE "reservations";

--bun:split

DROP TABLE "stock";
