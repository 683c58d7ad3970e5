-- What the sources offered. The id is made of the source and of what the source calls the article, so that none is kept twice.
CREATE TABLE "articles" (
    id text PRIMARY KEY,
    source text NOT NULL,
    title text NOT NULL,
    link text NOT NULL,
    summary text NOT NULL,
    published_at timestamptz NOT NULL,
    -- when a source offered it last
    seen_at timestamptz NOT NULL
);

--bun:split

CREATE INDEX "articles_latest" ON "articles" (published_at, id);

--bun:split

CREATE INDEX "articles_of_source" ON "articles" (source, published_at, id);

--bun:split

CREATE INDEX "articles_seen" ON "articles" (seen_at);

--bun:split

-- Who asks the sources: one row for each hour, and one for those who ask at another time.
CREATE TABLE "runs" (
    slot text PRIMARY KEY,
    claim text NOT NULL,
    lease_until timestamptz NOT NULL,
    finished_at timestamptz
);
