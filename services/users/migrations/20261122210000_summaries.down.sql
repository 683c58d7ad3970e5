DROP TABLE "summary_generation";
DROP TABLE "summary_totals";
DROP TABLE "summaries";
DROP TABLE "settled_orders";
