package participant_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/participant"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
	"github.com/trellis-mesh/trellis/services/shipping/migrations"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestEveryTransactionSettlesOnSQLite(t *testing.T) {
	random := soak.Rand(t)
	for range soak.Rounds(t, 3) {
		settles(t, databasetest.New(t, nil), random)
	}
}

// lab is a participant, and the shipments that it promises.
type lab struct {
	transactions *twophase.Local[participant.Order]
	shipments    *store.Store
}

func newLab(t *testing.T, db *database.DB) lab {
	t.Helper()
	err := errors.Join(database.Migrate(t.Context(), db, migrations.FS), database.Migrate(t.Context(), db, twophase.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	l := lab{shipments: store.New(db)}
	if l.transactions, err = participant.New(db, l.shipments, twophase.LocalOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

// settles plays, for many orders at once, a coordinator whose messages come twice, late and beside each other, and looks at which
// orders are shipped.
func settles(t *testing.T, db *database.DB, random *rand.Rand) {
	const orders = 24
	l := newLab(t, db)
	committed, errs := make([]bool, orders), make([]error, orders)
	var group sync.WaitGroup
	for i := range orders {
		own := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		group.Go(func() { committed[i], errs[i] = l.play(t.Context(), fmt.Sprint(i), own) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i := range orders {
		shipment, err := l.shipments.Get(t.Context(), fmt.Sprint(i))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if confirmed := shipment.State == domain.Confirmed; confirmed != committed[i] || shipment.State == domain.Arranged {
			t.Errorf("order %d: shipment %v, committed %v", i, shipment, committed[i])
		}
	}
	if n, err := db.NewSelect().Table("twophase_vote").Where("state = 'prepared'").Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d transactions stay in doubt, and %v", n, err)
	}
}

// play is one order's coordinator. An order whose transaction is aborted may have another; at last it is committed or given up.
func (l lab) play(ctx context.Context, order string, random *rand.Rand) (committed bool, err error) {
	data := participant.Order{ID: order, Parcel: domain.Parcel{CustomerID: "ada", Lines: []domain.Line{{ProductID: "tea", Quantity: 2}}}}
	for try := 0; ; try++ {
		txn := fmt.Sprint("test/", order, ".", try)
		prepare := func() error { return l.transactions.Prepare(ctx, txn, data) }
		if err := errors.Join(together(random, prepare, prepare)...); err != nil {
			return false, err
		}
		late := func() error {
			if err := prepare(); err != nil && !twophase.IsRefused(err) {
				return err
			}
			return nil
		}
		commit, abort := func() error { return l.transactions.Commit(ctx, txn) }, func() error { return l.transactions.Abort(ctx, txn) }
		tell := func(m domain.Message) func() error {
			return func() error {
				_, _, err := l.shipments.Handle(ctx, order, m, data.Parcel)
				return err
			}
		}
		switch random.IntN(3) {
		case 0:
			return true, errors.Join(together(random, commit, commit, late, tell(domain.Complete))...)
		case 1:
			return false, errors.Join(together(random, abort, abort, late, tell(domain.Cancel))...)
		}
		if err := errors.Join(together(random, abort, abort, late)...); err != nil {
			return false, err
		}
	}
}

// together calls the functions at the same time, or one after the other in any order, and gives their errors.
func together(random *rand.Rand, fns ...func() error) []error {
	errs := make([]error, len(fns))
	if random.IntN(2) == 0 {
		for _, i := range random.Perm(len(fns)) {
			errs[i] = fns[i]()
		}
		return errs
	}
	var group sync.WaitGroup
	for i, fn := range fns {
		group.Go(func() { errs[i] = fn() })
	}
	group.Wait()
	return errs
}
