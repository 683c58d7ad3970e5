package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/test/soak"
)

var (
	tea  = domain.Line{ProductID: "tea", Quantity: 3}
	milk = domain.Line{ProductID: "milk", Quantity: 2}
)

func allOrNothing(t *testing.T, l lab) {
	l.set(t, "tea", 10)
	l.set(t, "milk", 1)
	if got, _, err := l.Handle(t.Context(), "1", domain.Reserve, milk, tea); !errors.Is(err, domain.ErrInsufficient) {
		t.Errorf("%v and %v, want %v", got, err, domain.ErrInsufficient)
	}
	l.expect(t, "tea", 10, 0)
	l.expect(t, "milk", 1, 0)
	l.set(t, "milk", 2) // a refusal is not remembered: who asks again is answered anew
	l.tell(t, "1", domain.Reserve, domain.Reserved, milk, tea)
	l.expect(t, "tea", 10, 3)
	l.expect(t, "milk", 2, 2)
}

func comesAndGoes(t *testing.T, l lab) {
	l.set(t, "tea", 10)
	for range 2 {
		l.tell(t, "1", domain.Reserve, domain.Reserved, tea)
		l.tell(t, "2", domain.Reserve, domain.Reserved, tea)
		l.expect(t, "tea", 10, 6)
	}
	for range 2 {
		l.tell(t, "1", domain.Complete, domain.Taken)
		l.expect(t, "tea", 7, 3)
	}
	for range 2 {
		l.tell(t, "2", domain.Cancel, domain.Released)
		l.expect(t, "tea", 7, 0)
	}
	again, changed, err := l.Handle(t.Context(), "1", domain.Reserve, tea)
	if err != nil || changed {
		t.Errorf("changed %v and %v", changed, err)
	}
	want := domain.Reservation{OrderID: "1", State: domain.Taken, Lines: []domain.Line{tea}}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Error(diff)
	}
}

func releaseFirst(t *testing.T, l lab) {
	l.set(t, "tea", 10)
	l.tell(t, "1", domain.Release, domain.Released)
	if got, _, err := l.Handle(t.Context(), "1", domain.Reserve, tea); !errors.Is(err, domain.ErrReleased) {
		t.Errorf("%v and %v, want %v", got, err, domain.ErrReleased)
	}
	l.expect(t, "tea", 10, 0)
}

func promiseAgain(t *testing.T, l lab) {
	l.set(t, "tea", 10)
	l.set(t, "milk", 10)
	l.tell(t, "1", domain.Promise, domain.Promised, tea)
	l.expect(t, "tea", 10, 3)
	l.tell(t, "1", domain.Abort, domain.Absent)
	l.expect(t, "tea", 10, 0)
	l.tell(t, "1", domain.Promise, domain.Promised, milk)
	l.tell(t, "1", domain.Commit, domain.Taken)
	l.tell(t, "1", domain.Complete, domain.Taken)
	l.expect(t, "tea", 10, 0)
	l.expect(t, "milk", 8, 0)
}

func joins(t *testing.T, l lab) {
	l.set(t, "tea", 10)
	undo := errors.New("undo")
	err := l.db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		if _, _, err := l.Handle(ctx, "1", domain.Reserve, tea); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	l.expect(t, "tea", 10, 0)
	err = l.db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		if _, _, err := l.Handle(ctx, "1", domain.Reserve, domain.Line{ProductID: "tea", Quantity: 11}); !errors.Is(err, domain.ErrInsufficient) {
			return fmt.Errorf("error %w, want %w", err, domain.ErrInsufficient)
		}
		_, _, err := l.Handle(ctx, "1", domain.Cancel) // the refusal has undone itself alone
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Handle(t.Context(), "1", domain.Reserve, tea); !errors.Is(err, domain.ErrReleased) {
		t.Errorf("error %v, want %v", err, domain.ErrReleased)
	}
}

// parallel runs n functions at the same time, and gives the errors by their numbers.
func parallel(n int, fn func(i int) error) []error {
	errs, start := make([]error, n), make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

func sameOrder(t *testing.T, l lab) {
	const orders = 20
	l.set(t, "tea", 1000)
	l.tell(t, "all the time", domain.Reserve, domain.Reserved, domain.Line{ProductID: "tea", Quantity: 100})
	for order := range orders {
		id, told := fmt.Sprint(order), []domain.Message{domain.Reserve, domain.Reserve, domain.Reserve, domain.Release}
		for i, err := range parallel(len(told), func(i int) error {
			_, _, err := l.Handle(t.Context(), id, told[i], tea)
			return err
		}) {
			if err != nil && !errors.Is(err, domain.ErrReleased) {
				t.Errorf("order %s: %s: %v", id, told[i], err)
			}
		}
		// The same of one that was reserved before. Another order holds enough to be released from by mistake.
		other := "other " + id
		l.tell(t, other, domain.Reserve, domain.Reserved, tea)
		for i, err := range parallel(len(told), func(int) error {
			_, _, err := l.Handle(t.Context(), other, domain.Cancel)
			return err
		}) {
			if err != nil {
				t.Errorf("order %s: %d: %v", other, i, err)
			}
		}
		l.expect(t, "tea", 1000, 100)
	}
}

func manyAtOnce(t *testing.T, l lab) {
	const orders, products, onHand = 32, 6, 40
	random := soak.Rand(t)
	for round := range soak.Rounds(t, 3) {
		for p := range products {
			l.set(t, fmt.Sprint(round, "-", p), onHand)
		}
		wanted, ends := make([][]domain.Line, orders), make([]domain.Message, orders)
		for order := range orders {
			for _, p := range random.Perm(products)[:2+random.IntN(products-1)] {
				wanted[order] = append(wanted[order], domain.Line{ProductID: fmt.Sprint(round, "-", p), Quantity: 1 + random.IntN(5)})
			}
			ends[order] = []domain.Message{"", domain.Cancel, domain.Complete}[random.IntN(3)]
		}
		errs := parallel(orders, func(order int) error {
			id := fmt.Sprint(round, "-", order)
			if _, _, err := l.Handle(t.Context(), id, domain.Reserve, wanted[order]...); err != nil || ends[order] == "" {
				return err
			}
			_, _, err := l.Handle(t.Context(), id, ends[order])
			return err
		})
		taken, held, refused := map[string]int{}, map[string]int{}, 0
		for order, err := range errs {
			if errors.Is(err, domain.ErrInsufficient) {
				refused++
				continue
			}
			if err != nil {
				t.Fatalf("order %d: %v", order, err)
			}
			for _, line := range wanted[order] {
				taken[line.ProductID] += line.Quantity * count(ends[order] == domain.Complete)
				held[line.ProductID] += line.Quantity * count(ends[order] == "")
			}
		}
		if refused == 0 || refused == orders {
			t.Errorf("%d of %d orders were refused: the stock is not scarce", refused, orders)
		}
		for p := range products {
			product := fmt.Sprint(round, "-", p)
			l.expect(t, product, onHand-taken[product], held[product])
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
