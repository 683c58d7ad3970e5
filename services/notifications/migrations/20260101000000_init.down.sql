DROP TABLE "customers";

--bun:split

DROP TABLE "messages";
