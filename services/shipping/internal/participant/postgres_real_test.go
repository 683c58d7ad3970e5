//go:build real

package participant_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestEveryTransactionSettlesOnPostgres(t *testing.T) {
	random := soak.Rand(t)
	for range soak.Rounds(t, 3) {
		db, err := database.Open(t.Context(), real.Postgres(t), database.Options{TxAttempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		settles(t, db, random)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
