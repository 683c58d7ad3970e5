-- How an order comes to its end. Programs that do not know of it leave orders to events.
ALTER TABLE "orders" ADD COLUMN fulfilment text NOT NULL DEFAULT 'choreography';
