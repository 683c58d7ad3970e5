// Package migrations holds the changes of the database's schema, in the order of their names. Each must be good for PostgreSQL,
// and for SQLite, which stands in for it on a developer's machine.
package migrations

import "embed"

// FS has one file with the way up and one with the way down for each change; those in a folder are for that kind of database.
//
//go:embed *.sql postgres/*.sql
var FS embed.FS
