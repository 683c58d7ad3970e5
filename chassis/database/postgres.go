package database

import (
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
)

// openPostgres makes the pool; it connects on first use.
//
// bun writes the arguments into the statement's text, so every text is new: a statement cache would only add a round
// trip and fill up. Hence the simple protocol, which poolers in transaction mode bear too.
func openPostgres(url string) (*sql.DB, string, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, "", fmt.Errorf("open database: %w; want postgres://user:password@host:5432/name", err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return stdlib.OpenDB(*cfg), cfg.Database, nil
}

func dialectOf(kind string) schema.Dialect {
	if kind == Postgres {
		return pgdialect.New()
	}
	return sqlitedialect.New()
}
