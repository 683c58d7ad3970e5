//go:build real

package twophase_test

import (
	"context"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/test/real"
)

func openPostgres(t *testing.T) *database.DB { return openURL(t, real.Postgres(t)) }

func TestPostgresConforms(t *testing.T) { conformance(t, openPostgres) }

func TestTentativeOnPostgresConforms(t *testing.T) { localConformance(t, openPostgres, makeTentative) }

func TestPreparedConforms(t *testing.T) { localConformance(t, openPostgres, makePrepared) }

func TestPreparedNoticesAnErrorThatTheWorkPassedOver(t *testing.T) {
	db := openPostgres(t)
	l, err := twophase.Prepared(db, "inventory", func(ctx context.Context, tx bun.Tx, _ string, _ cart) error {
		_, _ = tx.ExecContext(ctx, "SELECT 1 / 0") // the mistake
		return nil
	}, neverAsked, localOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prepare(t.Context(), "c/1", oneItem); err == nil || !strings.Contains(err.Error(), "passed over") {
		t.Errorf("got %v", err)
	}
}

func neverAsked(context.Context, string) (twophase.Decision, error) { return "", errMade }

func TestServerWithoutPreparedTransactionsIsNamed(t *testing.T) {
	server := real.NewPostgres(t, "max_prepared_transactions=0")
	db := openURL(t, server.Database(t))
	if _, err := db.ExecContext(t.Context(), effectsTable); err != nil {
		t.Fatal(err)
	}
	const remedy = "set max_prepared_transactions"
	if err := twophase.CheckServer(t.Context(), db); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("got %v", err)
	}
	l, err := makePrepared(db, "inventory", func(string) error { return nil }, neverAsked, localOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prepare(t.Context(), "c/1", oneItem); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("got %v", err)
	}
	if err := twophase.CheckServer(t.Context(), openPostgres(t)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsInDoubtOutlivesTheServer(t *testing.T) {
	server := real.NewPostgres(t)
	db := openURL(t, server.Database(t))
	if _, err := db.ExecContext(t.Context(), effectsTable); err != nil {
		t.Fatal(err)
	}
	lo := &local{db: db, answers: map[string]twophase.Decision{"c/1": twophase.Commit, "c/2": twophase.Abort}, make: makePrepared, opt: localOptions()}
	lo.Local = lo.open(t, "inventory")
	for _, txn := range []string{"c/1", "c/2"} {
		lo.must(t, "prepare", lo.Prepare(t.Context(), txn, oneItem))
	}
	server.Kill()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pool has recovered", func() bool { return lo.Recover(t.Context(), 0) == nil })
	lo.want(t, "c/1", 1)
	lo.want(t, "c/2", 0)
	noneLeft(t, db)
}

// noneLeft wants that no prepared transaction is left in the database.
func noneLeft(t *testing.T, db *database.DB) {
	t.Helper()
	var left []string
	if err := db.NewRaw("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").Scan(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

func TestOutcomesAgreeWhenProcessesOnPostgresAreKilled(t *testing.T) {
	for _, db := range killed(t, func(string) string { return real.Postgres(t) }, 10) {
		noneLeft(t, db)
	}
}
