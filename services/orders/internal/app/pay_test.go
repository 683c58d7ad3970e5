package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// till is a Till that keeps its promises: a charge or a refund that comes again is found done, and a refunded reference is not charged
// any more. It answers as it is told to first; a lost answer comes after the effect.
type till struct {
	mu       sync.Mutex
	charged  map[string]string // methods by reference
	refunded map[string]bool
	charges  []error // what the next charges answer
	refunds  []error
	before   func(call string) // is called before each effect, and
	after    func(call string) // after it
}

// errLost is an answer that does not arrive: the effect is there.
var errLost = errors.New("connect: secret of the network")

func newTill() *till {
	nothing := func(string) {}
	return &till{charged: map[string]string{}, refunded: map[string]bool{}, before: nothing, after: nothing}
}

func (t *till) answer(call string, next *[]error, effect func() error) error {
	t.before(call)
	defer t.after(call)
	t.mu.Lock()
	defer t.mu.Unlock()
	var answer error
	if len(*next) > 0 {
		answer, *next = (*next)[0], (*next)[1:]
	}
	if answer != nil && !errors.Is(answer, errLost) {
		return answer
	}
	return errors.Join(effect(), answer)
}

func (t *till) Charge(_ context.Context, reference, method string, order domain.Snapshot) error {
	return t.answer("charge", &t.charges, func() error {
		if t.refunded[reference] {
			return &Refusal{Reason: "payment_refunded"}
		}
		if order.Total.Amount() != "25.00" {
			return fmt.Errorf("asked to charge %s", order.Total)
		}
		t.charged[reference] = method
		return nil
	})
}

func (t *till) Refund(_ context.Context, reference string) error {
	return t.answer("refund", &t.refunds, func() error {
		t.refunded[reference] = true
		delete(t.charged, reference)
		return nil
	})
}

// String is what is charged.
func (t *till) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for reference, method := range t.charged {
		all = append(all, reference+" by "+method)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// invoiced is a shop with a completed order of Ada's that was left to an invoice, the order 1.
func invoiced(t *testing.T, s *shop) *shop {
	t.Helper()
	w := wish(t, "1", "eve") // by events, so that nobody charges anything for it
	w.Method = domain.Invoice
	if err := s.Create(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), domain.Choreography, "1"); err != nil {
		t.Fatal(err)
	}
	return s
}

// impatient tries each step three times.
func impatient(d *Deps) {
	d.Patience = saga.Retry{Attempts: 3, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
}

// wantPaid checks that the order 1 is what its bill says: paid, charged once and told once; or as it was before.
func (s *shop) wantPaid(t *testing.T, status domain.BillStatus, why string) {
	t.Helper()
	order, err := s.store.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	charged, told, method := "", 0, domain.Invoice
	if status == domain.Paid {
		charged, told, method = fmt.Sprintf("1.%d by m1", order.Bill.Attempt), 1, "m1"
	}
	if order.Bill.Status != status || order.Bill.Reason != why || order.Payment.Method != method || order.PaidAt.IsZero() == (status == domain.Paid) {
		t.Errorf("the order is %+v, want %s %q", order, status, why)
	}
	if got := s.till.String(); got != charged {
		t.Errorf("charged %q, want %q", got, charged)
	}
	got := 0
	for _, e := range s.published() {
		if e.Type() == api.OrderPaidV1Type {
			got++
		}
	}
	if got != told {
		t.Errorf("told %d times that it is paid, want %d", got, told)
	}
}

func TestInvoiceIsPaidInSequence(t *testing.T) {
	s := invoiced(t, newShop(t, "choreography", impatient))
	s.run(t)
	for range 2 { // said again, it is paid once
		order, err := s.Pay(t.Context(), "1", "m1")
		if err != nil || order.Bill.Status != domain.Paid {
			t.Fatalf("paid %+v, %v", order, err)
		}
	}
	s.wantPaid(t, domain.Paid, "")
	if _, err := s.Pay(t.Context(), "1", "m2"); !errors.Is(err, domain.ErrPaid) {
		t.Errorf("paid again: %v", err)
	}
	if _, err := s.Pay(t.Context(), "2", "m1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown order: %v", err)
	}
	if n := testutil.ToFloat64(s.metrics.Invoices("paid")); n != 1 {
		t.Errorf("counted %v", n)
	}
}

// TestInvoiceIsPaidOnceByMany has many ask at once, in two processes.
func TestInvoiceIsPaidOnceByMany(t *testing.T) {
	s := invoiced(t, newShop(t, "choreography", impatient))
	s.run(t)
	newShopOn(t, s.Database, "choreography", impatient, func(d *Deps) { d.Till = s.till }).run(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if order, err := s.Pay(t.Context(), "1", "m1"); err != nil || order.Bill.Status != domain.Paid {
				t.Errorf("paid %+v, %v", order, err)
			}
		})
	}
	group.Wait()
	s.wantPaid(t, domain.Paid, "")
}

// TestAFailedStepUndoesThoseBeforeIt fails each step in turn, in each way.
func TestAFailedStepUndoesThoseBeforeIt(t *testing.T) {
	no := &Refusal{Reason: "the card was declined"}
	outboxAway := func(t *testing.T, s *shop) {
		t.Helper()
		const sql = `CREATE TRIGGER deaf BEFORE INSERT ON "outbox" BEGIN SELECT RAISE(FAIL, 'made by the test'); END`
		if _, err := s.Database.NewRaw(sql).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ordersAway := func(t *testing.T, s *shop) {
		t.Helper()
		const sql = `CREATE TRIGGER stiff BEFORE UPDATE ON "orders" WHEN NEW.paid_at IS NOT NULL BEGIN SELECT RAISE(FAIL, 'made by the test'); END`
		if _, err := s.Database.NewRaw(sql).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		charges, refunds []error
		given            func(*testing.T, *shop)
		status           domain.BillStatus
		why              string
	}{
		"verify is refused":                     {charges: []error{no}, status: domain.Failed, why: "the card was declined"},
		"verify is tried again":                 {charges: []error{errors.New("away"), errLost}, status: domain.Paid},
		"verify is never answered":              {charges: []error{errLost, errLost, errLost}, status: domain.Undone, why: NotConfirmed},
		"verify is refused after a lost answer": {charges: []error{errLost, no}, status: domain.Undone, why: "the card was declined"},
		"verify is undone in the end":           {charges: []error{errLost, no}, refunds: []error{errors.New("away"), errLost}, status: domain.Undone, why: "the card was declined"},
		"update fails":                          {given: ordersAway, status: domain.Undone, why: NotUpdated},
		"update fails, and so does the refund":  {given: ordersAway, refunds: []error{errLost, errors.New("away")}, status: domain.Undone, why: NotUpdated},
		"notify fails":                          {given: outboxAway, status: domain.Undone, why: NotTold},
	} {
		t.Run(name, func(t *testing.T) {
			s := invoiced(t, newShop(t, "choreography", impatient))
			s.published() // what the outbox has, so that it may break
			s.till.charges, s.till.refunds = test.charges, test.refunds
			if test.given != nil {
				test.given(t, s)
			}
			s.run(t)
			if order, err := s.Pay(t.Context(), "1", "m1"); err != nil || order.Bill.Status != test.status {
				t.Errorf("paid %+v, %v", order.Bill, err)
			}
			s.wantPaid(t, test.status, test.why)
			if test.status == domain.Paid {
				return
			}
			for _, trigger := range []string{"deaf", "stiff"} { // what was in the way is mended, and the customer tries again
				if _, err := s.Database.NewRaw("DROP TRIGGER IF EXISTS " + trigger).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if order, err := s.Pay(t.Context(), "1", "m1"); err != nil || order.Bill.Attempt != 2 {
				t.Errorf("paid again %+v, %v", order.Bill, err)
			}
			s.wantPaid(t, domain.Paid, "")
		})
	}
}

func TestARefundThatIsRefusedIsLeftToAPerson(t *testing.T) {
	s := invoiced(t, newShop(t, "choreography", impatient, func(d *Deps) { d.Wait = time.Millisecond }))
	s.till.charges = []error{errLost, &Refusal{Reason: "declined"}}
	s.till.refunds = []error{&Refusal{Reason: "payment_promised"}}
	s.run(t)
	if order, err := s.Pay(t.Context(), "1", "m1"); err != nil || order.Bill.Status != domain.Paying {
		t.Errorf("the outcome is not known, and it is %+v, %v", order.Bill, err)
	}
	var parked []saga.Case
	for deadline := time.Now().Add(20 * time.Second); len(parked) == 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no saga is parked")
		}
		for _, desk := range s.Sagas() {
			cases, err := desk.Parked(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			parked = append(parked, cases...)
		}
	}
	if parked[0].Saga != "payment" || parked[0].ID != "1.1" || parked[0].Step != "verify" || parked[0].Action != "undo" {
		t.Errorf("parked %+v", parked)
	}
	if err := s.payment.Resume(t.Context(), "1.1"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		if order, err := s.store.Get(t.Context(), "1"); err != nil || order.Bill.Status != domain.Paying {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it has not ended")
		}
	}
	s.wantPaid(t, domain.Undone, "declined")
}

// crasher ends the goroutine of a worker at its n-th database query, or at its call of the till.
type crasher struct {
	at    int64 // 0: never
	after bool
	seen  atomic.Int64
	died  chan struct{}
}

func (c *crasher) point() {
	if c.seen.Add(1) == c.at {
		close(c.died)
		runtime.Goexit()
	}
}

// counts reports whether a query writes what a step does, or the log of a step.
func counts(ctx context.Context, e *bun.QueryEvent) bool {
	writes := strings.HasPrefix(e.Query, "UPDATE") || strings.HasPrefix(e.Query, "INSERT") || strings.HasPrefix(e.Query, "COMMIT")
	return writes && (saga.Key(ctx) != "" || strings.Contains(e.Query, `"saga_log"`))
}

// BeforeQuery leaves commits alone: before them nothing is different from what it is after the last write.
func (c *crasher) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if !c.after && counts(ctx, e) && e.Query != "COMMIT" {
		c.point()
	}
	return ctx
}

func (c *crasher) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	if c.after && counts(ctx, e) {
		c.point()
	}
}

// TestPaymentSurvivesACrashAtEachPoint ends the worker before and after each write of each step and each call of the till, both of an
// attempt that succeeds and of one that is undone. Another takes over, and the invoice is paid once or not at all.
func TestPaymentSurvivesACrashAtEachPoint(t *testing.T) {
	for _, undone := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			points := payWithCrash(t, &crasher{after: after}, undone)
			if points < 4 {
				t.Fatalf("only %d points were seen", points)
			}
			for at := int64(1); at <= points; at++ {
				t.Run(fmt.Sprintf("undone=%t after=%t point %d of %d", undone, after, at, points), func(t *testing.T) {
					t.Parallel()
					payWithCrash(t, &crasher{at: at, after: after, died: make(chan struct{})}, undone)
				})
			}
		}
	}
}

// payWithCrash pays an invoice while the worker dies as the crasher says, checks the outcome, and gives the number of points passed.
func payWithCrash(t *testing.T, c *crasher, undone bool) int64 {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	db.DB = db.WithQueryHook(c)
	s := invoiced(t, newShopOn(t, db, "choreography", impatient))
	point := func(string) { c.point() }
	if s.till.before = point; c.after {
		s.till.before, s.till.after = func(string) {}, point
	}
	want, why := domain.Paid, ""
	if undone {
		// Nobody can be told of a payment, so all is undone.
		const sql = `CREATE TRIGGER deaf BEFORE INSERT ON "outbox" WHEN NEW.type = 'order.paid.v1' BEGIN SELECT RAISE(FAIL, 'made by the test'); END`
		if _, err := db.NewRaw(sql).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		want, why = domain.Undone, NotTold
	}
	s.run(t)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.Pay(t.Context(), "1", "m1"); err != nil {
			t.Error(err)
		}
	})
	if c.at > 0 {
		select {
		case <-c.died:
		case <-time.After(20 * time.Second):
			t.Fatal("nothing died")
		}
		// The lease of the dead has run out, and another process looks for what is to be done.
		if _, err := db.NewRaw("UPDATE saga SET due_at = created_at WHERE due_at IS NOT NULL").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		newShopOn(t, db, "choreography", impatient, func(d *Deps) { d.Till = s.till }).run(t)
	}
	group.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		if i, err := s.payment.Get(t.Context(), "1.1"); err != nil || !i.FinishedAt.IsZero() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the saga has not ended")
		}
	}
	s.wantPaid(t, want, why)
	return c.seen.Load()
}
