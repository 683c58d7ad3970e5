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
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/participant"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
	"github.com/trellis-mesh/trellis/services/inventory/migrations"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestEveryTransactionSettlesOnSQLite(t *testing.T) {
	random := soak.Rand(t)
	for range soak.Rounds(t, 3) {
		settles(t, databasetest.New(t, nil), random)
	}
}

// lab is a participant, and the stock that it promises.
type lab struct {
	transactions *twophase.Local[participant.Order]
	stock        *store.Store
	db           *database.DB
}

func newLab(t *testing.T, db *database.DB) lab {
	t.Helper()
	err := errors.Join(database.Migrate(t.Context(), db, migrations.FS), database.Migrate(t.Context(), db, twophase.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	l := lab{stock: store.New(db), db: db}
	if l.transactions, err = participant.New(db, l.stock, twophase.LocalOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

// ending is what an order comes to.
type ending struct {
	lines     []domain.Line
	committed bool
}

// settles plays, for many orders at once, a coordinator whose messages come twice, late and beside each other, and looks at what
// is left of the stock.
func settles(t *testing.T, db *database.DB, random *rand.Rand) {
	const orders, products, onHand = 24, 4, 60
	l := newLab(t, db)
	for p := range products {
		if _, err := l.stock.SetStock(t.Context(), fmt.Sprint(p), onHand); err != nil {
			t.Fatal(err)
		}
	}
	endings, errs := make([]ending, orders), make([]error, orders)
	var group sync.WaitGroup
	for i := range orders {
		for _, p := range random.Perm(products)[:1+random.IntN(products)] {
			endings[i].lines = append(endings[i].lines, domain.Line{ProductID: fmt.Sprint(p), Quantity: 1 + random.IntN(9)})
		}
		own := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		group.Go(func() { endings[i].committed, errs[i] = l.play(t.Context(), fmt.Sprint(i), endings[i].lines, own) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	taken, committed := map[string]int{}, 0
	for _, e := range endings {
		if !e.committed {
			continue
		}
		committed++
		for _, line := range e.lines {
			taken[line.ProductID] += line.Quantity
		}
	}
	if committed == 0 || committed == orders {
		t.Errorf("%d of %d transactions were committed", committed, orders)
	}
	for p := range products {
		got, err := l.stock.Stock(t.Context(), fmt.Sprint(p))
		if want := (domain.Stock{ProductID: fmt.Sprint(p), OnHand: onHand - taken[fmt.Sprint(p)]}); err != nil || got != want {
			t.Errorf("stock %v and %v, want %v", got, err, want)
		}
	}
	if n, err := db.NewSelect().Table("twophase_vote").Where("state = 'prepared'").Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d transactions stay in doubt, and %v", n, err)
	}
}

// play is one order's coordinator. An order whose transaction is aborted may have another; at last it is committed or given up.
func (l lab) play(ctx context.Context, order string, lines []domain.Line, random *rand.Rand) (committed bool, err error) {
	for try := 0; ; try++ {
		txn, data := fmt.Sprint("test/", order, ".", try), participant.Order{ID: order, Lines: lines}
		prepare := func() error { return l.transactions.Prepare(ctx, txn, data) }
		votes := together(random, prepare, prepare)
		if failed := errors.Join(votes...); failed != nil && !twophase.IsRefused(failed) {
			return false, failed
		}
		late := func() error {
			if err := prepare(); err != nil && !twophase.IsRefused(err) {
				return err
			}
			return nil
		}
		commit, abort := func() error { return l.transactions.Commit(ctx, txn) }, func() error { return l.transactions.Abort(ctx, txn) }
		switch n := random.IntN(4); {
		case votes[0] == nil && n < 2:
			return true, errors.Join(together(random, commit, commit, late, l.tell(ctx, order, domain.Complete))...)
		case n == 2:
			return false, errors.Join(together(random, abort, abort, late, l.tell(ctx, order, domain.Cancel))...)
		default:
			if err := errors.Join(together(random, abort, abort, late)...); err != nil {
				return false, err
			}
		}
	}
}

// tell is an event that tells an order's end.
func (l lab) tell(ctx context.Context, order string, m domain.Message) func() error {
	return func() error {
		_, _, err := l.stock.Handle(ctx, order, m)
		return err
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

func TestOnlyOneTransactionOfAnOrderIsPromised(t *testing.T) {
	l := newLab(t, databasetest.New(t, nil))
	if _, err := l.stock.SetStock(t.Context(), "tea", 10); err != nil {
		t.Fatal(err)
	}
	order := participant.Order{ID: "1", Lines: []domain.Line{{ProductID: "tea", Quantity: 3}}}
	if err := l.transactions.Prepare(t.Context(), "test/1", order); err != nil {
		t.Fatal(err)
	}
	if err := l.transactions.Prepare(t.Context(), "test/2", order); !twophase.IsRefused(err) || !errors.Is(err, domain.ErrPromised) {
		t.Errorf("error %v, want %v as a vote of no", err, domain.ErrPromised)
	}
	if err := l.transactions.Abort(t.Context(), "test/2"); err != nil { // it drops what test/2 was promised, which is nothing
		t.Fatal(err)
	}
	if got, err := l.stock.Stock(t.Context(), "tea"); err != nil || got.Reserved != 3 {
		t.Errorf("%v and %v", got, err)
	}
}
