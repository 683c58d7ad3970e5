// Package migrations holds the changes of the database's schema, in the order of their names. Each must be good for PostgreSQL,
// and for SQLite, which stands in for it on a developer's machine.
package migrations

import (
	"embed"
	"io/fs"
)

// FS has one file with the way up and one with the way down for each change.
//
//go:embed *.sql postgres sqlite
var FS embed.FS

//go:embed shards
var shards embed.FS

// Shards has the changes of the shards' schema, which is the same in each.
func Shards() fs.FS {
	root, err := fs.Sub(shards, "shards")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return root
}
