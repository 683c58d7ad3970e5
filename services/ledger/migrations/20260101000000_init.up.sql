-- The read models; the events are in the tables of chassis/eventstore. Each row is of one generation of its projection: a rebuild
-- fills a new one beside the one that is read.
CREATE TABLE "balances" (
    generation bigint NOT NULL,
    account text NOT NULL,
    owner text NOT NULL,
    amount text NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (generation, account)
);

--bun:split

CREATE TABLE "bookings" (
    generation bigint NOT NULL,
    account text NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    amount text NOT NULL,
    balance text NOT NULL,
    currency text NOT NULL,
    text text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (generation, account, version)
);
