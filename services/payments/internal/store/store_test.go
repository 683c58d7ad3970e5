package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// fixture is a store on a database of the test's own.
type fixture struct {
	*Store
	box       *outbox.Outbox
	published *eventtest.Recorder
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, fixture){
		"what is begun is given again":               begins,
		"an order has one payment":                   beginsOnce,
		"of many that begin at once one does":        beginsOneOfMany,
		"events are kept with their payment":         keepsEvents,
		"an update is all or nothing":                updates,
		"updates at once come one after the other":   updatesAtOnce,
		"a due payment is claimed by one":            claims,
		"a claim tells who wants the payment":        claimsInTheTraceOfItsRequest,
		"a settled payment is never due":             settles,
		"what is postponed is due later":             postpones,
		"only a promise is dropped":                  drops,
		"a list is a customer's, the latest first":   lists,
		"a method is given again":                    methods,
		"a transaction's state is kept":              decides,
		"a transaction is decided by one at a time":  decidesAtOnce,
		"a failing decision leaves nothing":          decidesNothing,
		"what is not known is not found":             unknowns,
		"a charge and a tombstone cannot both begin": tombstones,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
				t.Fatal(err)
			}
			f := fixture{published: &eventtest.Recorder{}}
			var err error
			if f.box, err = outbox.New(db, f.published, outbox.Options{}); err != nil {
				t.Fatal(err)
			}
			f.Store = New(db, f.box)
			test(t, f)
		})
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func payment(t testing.TB, orderID string) domain.Payment {
	t.Helper()
	amount, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return domain.New("p"+orderID, domain.Order{ID: orderID, CustomerID: "c", Method: "m", Amount: amount}, "card", at)
}

func begin(t *testing.T, f fixture, p domain.Payment, due time.Time, events ...event.Event) (domain.Payment, bool) {
	t.Helper()
	kept, first, err := f.Begin(t.Context(), p, due, events...)
	if err != nil {
		t.Fatal(err)
	}
	return kept, first
}

func get(t *testing.T, f fixture, orderID string) domain.Payment {
	t.Helper()
	p, err := f.Get(t.Context(), orderID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func due(t *testing.T, f fixture, now time.Time) []string {
	t.Helper()
	orders, err := f.Due(t.Context(), now, 10)
	if err != nil {
		t.Fatal(err)
	}
	return orders
}

var byValue = cmp.Options{cmp.Comparer(money.Money.Equal)}

func begins(t *testing.T, f fixture) {
	want := payment(t, "o")
	want.Bound, want.Announced, want.Unanswered, want.Tries = true, true, true, 3
	want.TransactionID, want.Reason = "t", "why"
	begin(t, f, want, at)
	if diff := cmp.Diff(want, get(t, f, "o"), byValue); diff != "" {
		t.Error(diff)
	}
	tomb := domain.Tombstone("tomb", at)
	begin(t, f, tomb, at)
	if got := get(t, f, "tomb"); got != tomb || !got.IsTombstone() {
		t.Errorf("tombstone %+v", got)
	}
}

func beginsOnce(t *testing.T, f fixture) {
	first := payment(t, "o")
	begin(t, f, first, at)
	second := payment(t, "o")
	second.ID = "another"
	if kept, ok := begin(t, f, second, at); ok || kept.ID != first.ID {
		t.Errorf("kept %+v, %v", kept, ok)
	}
}

func beginsOneOfMany(t *testing.T, f fixture) {
	var group sync.WaitGroup
	var firsts atomic.Int32
	for i := range 8 {
		group.Go(func() {
			p := payment(t, "o")
			p.ID = fmt.Sprint(i)
			if _, first, err := f.Begin(t.Context(), p, at); err != nil {
				t.Error(err)
			} else if first {
				firsts.Add(1)
			}
		})
	}
	group.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d began", n)
	}
}

func tombstones(t *testing.T, f fixture) {
	for i := range 10 {
		orderID := fmt.Sprint(i)
		var group sync.WaitGroup
		var firsts atomic.Int32
		for _, p := range []domain.Payment{payment(t, orderID), domain.Tombstone(orderID, at)} {
			group.Go(func() {
				if _, first, err := f.Begin(t.Context(), p, at); err != nil {
					t.Error(err)
				} else if first {
					firsts.Add(1)
				}
			})
		}
		group.Wait()
		if n := firsts.Load(); n != 1 {
			t.Errorf("%d began", n)
		}
	}
}

func newEvent(t *testing.T, key string) event.Event {
	t.Helper()
	e, err := event.New("payment.processed.v1", key, map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func keepsEvents(t *testing.T, f fixture) {
	begun, changed := newEvent(t, "o"), newEvent(t, "o")
	begin(t, f, payment(t, "o"), at, begun)
	begin(t, f, payment(t, "o"), at, newEvent(t, "o")) // not the first
	_, err := f.Update(t.Context(), "o", at, func(p *domain.Payment) ([]event.Event, error) {
		p.Reason = "x"
		return []event.Event{changed}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range f.published.Events() {
		ids = append(ids, e.ID())
	}
	if want := []string{begun.ID(), changed.ID()}; !slices.Equal(ids, want) {
		t.Errorf("published %v, want %v", ids, want)
	}
}

var errMade = errors.New("made by the test")

func updates(t *testing.T, f fixture) {
	begin(t, f, payment(t, "o"), at)
	_, err := f.Update(t.Context(), "o", at, func(p *domain.Payment) ([]event.Event, error) {
		p.Status = domain.Failed
		return []event.Event{newEvent(t, "o")}, errMade
	})
	if !errors.Is(err, errMade) || get(t, f, "o").Status != domain.Pending {
		t.Errorf("error %v, status %s", err, get(t, f, "o").Status)
	}
	err = f.InTx(t.Context(), func(ctx context.Context) error {
		_, err := f.Update(ctx, "o", at, func(p *domain.Payment) ([]event.Event, error) {
			p.Status = domain.Failed
			return []event.Event{newEvent(t, "o")}, nil
		})
		return errors.Join(err, errMade)
	})
	if !errors.Is(err, errMade) || get(t, f, "o").Status != domain.Pending {
		t.Errorf("error %v, status %s", err, get(t, f, "o").Status)
	}
	if err := f.box.Flush(t.Context()); err != nil || len(f.published.Events()) > 0 {
		t.Errorf("published %v, error %v", f.published.Events(), err)
	}
}

func updatesAtOnce(t *testing.T, f fixture) {
	begin(t, f, payment(t, "o"), at)
	const times = 20
	var group sync.WaitGroup
	for range times {
		group.Go(func() {
			_, err := f.Update(t.Context(), "o", at, func(p *domain.Payment) ([]event.Event, error) {
				p.Tries++
				return nil, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := get(t, f, "o").Tries; got != times {
		t.Errorf("%d of %d updates are left", got, times)
	}
}

func claims(t *testing.T, f fixture) {
	begin(t, f, payment(t, "o"), at)
	if _, _, asked, err := f.Claim(t.Context(), "o", at.Add(-time.Second), at); asked != 0 || err != nil {
		t.Errorf("claimed before it is due: %d, %v", asked, err)
	}
	until := at.Add(time.Second)
	var group sync.WaitGroup
	var claimed atomic.Int32
	for range 8 {
		group.Go(func() {
			switch p, _, asked, err := f.Claim(t.Context(), "o", at, until); {
			case err == nil && asked == 1 && p.Reference == "po":
				claimed.Add(1)
			case err != nil, asked != 0:
				t.Errorf("claim %+v, %d, %v", p, asked, err)
			}
		})
	}
	group.Wait()
	if n := claimed.Load(); n != 1 {
		t.Errorf("%d have claimed it", n)
	}
	if orders := due(t, f, at); len(orders) > 0 {
		t.Errorf("due while claimed: %v", orders)
	}
	if _, _, asked, err := f.Claim(t.Context(), "o", until, until.Add(1)); err != nil || asked != 2 {
		t.Errorf("claimed after the lease %d times, error %v", asked, err)
	}
}

// claimsInTheTraceOfItsRequest changes the payment in another request between, whose trace it is not.
func claimsInTheTraceOfItsRequest(t *testing.T, f fixture) {
	in := func(trace string) context.Context {
		return telemetry.Origin{Trace: map[string]string{"traceparent": "00-" + trace + "-00f067aa0ba902b7-01"}, Request: trace}.Context(t.Context())
	}
	const first, second = "11111111111111111111111111111111", "22222222222222222222222222222222"
	if _, isFirst, err := f.Begin(in(first), payment(t, "o"), at); err != nil || !isFirst {
		t.Fatal(isFirst, err)
	}
	if _, err := f.Update(in(second), "o", at, func(p *domain.Payment) ([]event.Event, error) { p.Tries++; return nil, nil }); err != nil {
		t.Fatal(err)
	}
	_, origin, _, err := f.Claim(t.Context(), "o", at, at.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ctx := origin.Context(t.Context())
	if id, request := trace.SpanContextFromContext(ctx).TraceID().String(), telemetry.ContextIDs(ctx).Request; id != first || request != first {
		t.Errorf("claimed in the trace %s of the request %s, want %s", id, request, first)
	}
}

func settles(t *testing.T, f fixture) {
	begin(t, f, payment(t, "o"), at)
	if orders := due(t, f, at); !slices.Equal(orders, []string{"o"}) {
		t.Errorf("due %v", orders)
	}
	_, err := f.Update(t.Context(), "o", at, func(p *domain.Payment) ([]event.Event, error) {
		p.Status = domain.Succeeded
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Postpone(t.Context(), get(t, f, "o"), at); err != nil {
		t.Fatal(err)
	}
	if orders := due(t, f, at.Add(time.Hour)); len(orders) > 0 {
		t.Errorf("due %v", orders)
	}
	// A refund makes it due again, and it is counted anew how often the gateway was asked.
	_, err = f.Update(t.Context(), "o", at, func(p *domain.Payment) ([]event.Event, error) { return nil, p.Refund() })
	if err != nil {
		t.Fatal(err)
	}
	if _, _, asked, err := f.Claim(t.Context(), "o", at, at); err != nil || asked != 1 {
		t.Errorf("claimed for the refund %d times, error %v", asked, err)
	}
}

func postpones(t *testing.T, f fixture) {
	begin(t, f, payment(t, "o"), at)
	p := get(t, f, "o")
	if err := f.Postpone(t.Context(), p, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if orders := due(t, f, at); len(orders) > 0 {
		t.Errorf("due %v", orders)
	}
	// An update without a due leaves that as it is.
	_, err := f.Update(t.Context(), "o", time.Time{}, func(p *domain.Payment) ([]event.Event, error) {
		p.Unanswered = true
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if orders := due(t, f, at); len(orders) > 0 {
		t.Errorf("due %v", orders)
	}
	if orders := due(t, f, at.Add(time.Second)); !slices.Equal(orders, []string{"o"}) {
		t.Errorf("due %v", orders)
	}
	p.Status = domain.Refunding // it was so when it was read, and is not any more
	if err := f.Postpone(t.Context(), p, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if orders := due(t, f, at.Add(time.Second)); !slices.Equal(orders, []string{"o"}) {
		t.Errorf("due %v", orders)
	}
}

func drops(t *testing.T, f fixture) {
	promised := payment(t, "promised")
	promised.Status = domain.Promised
	begin(t, f, promised, at)
	begin(t, f, payment(t, "pending"), at)
	if orders := due(t, f, at); !slices.Equal(orders, []string{"pending"}) {
		t.Errorf("due %v", orders)
	}
	for _, id := range []string{"promised", "pending", "unknown"} {
		if err := f.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Get(t.Context(), "promised"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the promise is still there: %v", err)
	}
	get(t, f, "pending")
}

func lists(t *testing.T, f fixture) {
	for _, id := range []string{"2", "1", "3"} {
		begin(t, f, payment(t, id), at)
	}
	other := payment(t, "4")
	other.CustomerID = "d"
	begin(t, f, other, at)
	begin(t, f, domain.Tombstone("5", at), at)
	payments, err := f.List(t.Context(), "c", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(payments) != 2 || payments[0].Order.ID != "3" || payments[1].Order.ID != "2" {
		t.Errorf("listed %+v", payments)
	}
	if nobodys, err := f.List(t.Context(), "", 10); err != nil || len(nobodys) > 0 {
		t.Errorf("listed %+v, error %v", nobodys, err)
	}
}

func methods(t *testing.T, f fixture) {
	want := domain.Method{ID: "m", CustomerID: "c", Brand: "visa", Last4: "1111", Card: "card", CreatedAt: at}
	if err := f.KeepMethod(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Method(t.Context(), "m"); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func decides(t *testing.T, f fixture) {
	for _, want := range []domain.State{domain.Unseen, domain.Prepared, domain.Committed} {
		err := f.Decide(t.Context(), "x", at, func(_ context.Context, tx *domain.Transaction) error {
			if tx.State != want {
				t.Errorf("state %q, want %q", tx.State, want)
			}
			if want == domain.Unseen {
				_, err := tx.Prepare("o", "")
				return err
			}
			if tx.OrderID != "o" {
				t.Errorf("order %q", tx.OrderID)
			}
			_, err := tx.Commit()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func decidesAtOnce(t *testing.T, f fixture) {
	var group sync.WaitGroup
	var firsts atomic.Int32
	for i := range 8 {
		group.Go(func() {
			err := f.Decide(t.Context(), "x", at, func(ctx context.Context, tx *domain.Transaction) error {
				var first bool
				var err error
				if i%2 == 0 {
					first, err = tx.Prepare("o", "")
				} else {
					first = tx.State == domain.Unseen
					_, err = tx.Abort()
				}
				if err != nil {
					return err
				}
				if first {
					database.AfterCommit(ctx, func() { firsts.Add(1) })
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d were first", n)
	}
}

func decidesNothing(t *testing.T, f fixture) {
	err := f.Decide(t.Context(), "x", at, func(ctx context.Context, tx *domain.Transaction) error {
		tx.Refuse("why")
		_, _, err := f.Begin(ctx, payment(t, "o"), at)
		return errors.Join(err, errMade)
	})
	if !errors.Is(err, errMade) {
		t.Errorf("error %v", err)
	}
	if _, err := f.Get(t.Context(), "o"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the payment is there: %v", err)
	}
	err = f.Decide(t.Context(), "x", at, func(_ context.Context, tx *domain.Transaction) error {
		if tx.State != domain.Unseen {
			t.Errorf("state %q", tx.State)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func unknowns(t *testing.T, f fixture) {
	_, get := f.Get(t.Context(), "x")
	_, method := f.Method(t.Context(), "x")
	_, update := f.Update(t.Context(), "x", at, func(*domain.Payment) ([]event.Event, error) { return nil, nil })
	for name, err := range map[string]error{"get": get, "method": method, "update": update} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
