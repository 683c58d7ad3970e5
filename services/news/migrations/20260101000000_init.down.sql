DROP TABLE "runs";

--bun:split

DROP TABLE "articles";
