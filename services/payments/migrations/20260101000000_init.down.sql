DROP TABLE "transactions";

--bun:split

DROP TABLE "payment_methods";

--bun:split

DROP TABLE "payments";
