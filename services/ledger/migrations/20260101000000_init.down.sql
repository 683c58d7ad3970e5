DROP TABLE "bookings";

--bun:split

DROP TABLE "balances";
