-- The trace and the ids of the request that wants the payment, as JSON: who asks the gateway later goes on in its trace.
ALTER TABLE "payments" ADD COLUMN origin text NOT NULL DEFAULT '{}';
