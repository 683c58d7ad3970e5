// Package store keeps stock and its reservations in the service's database.
//
// Every change locks what it reads: first the order's row, then the stock of its products by their ids. All do it in this
// order, so that none waits for one that waits for it.
package store

import (
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Store keeps stock and reservations.
type Store struct {
	db  *database.DB
	now func() time.Time
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db, now: time.Now}
}
