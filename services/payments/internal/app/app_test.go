package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/contracts/money"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/gateway"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
	"github.com/trellis-mesh/trellis/services/payments/migrations"
)

// The test cards.
const (
	pays     = "4111111111111111"
	refused  = "4000000000000002" // when it is registered
	declined = "4000000000000341" // when it is charged
	fails    = "4000000000000119"
	hangs    = "4000000000000259"
)

// wire takes requests to a gateway in the same process, as a network would: the answer comes when the handler is done or not
// at all. Faults are asked before each.
type wire struct {
	handler http.Handler
	fault   atomic.Pointer[func(*http.Request) fault]
	between func(*http.Request) // is called between a request and its answer
}

// fault is what goes wrong with a request.
type fault int

const (
	none fault = iota
	lostRequest
	lostAnswer
)

var errLost = errors.New("connection lost")

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	var goes fault
	if f := w.fault.Load(); f != nil {
		goes = (*f)(r)
	}
	if goes == lostRequest || r.Context().Err() != nil {
		return nil, errLost
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	if w.between != nil {
		w.between(r)
	}
	if goes == lostAnswer || r.Context().Err() != nil {
		return nil, errLost
	}
	return answer.Result(), nil
}

func (w *wire) breaks(f func(*http.Request) fault) { w.fault.Store(&f) }

// away is a gateway that nothing gets through to.
func away(*http.Request) fault { return lostRequest }

// shop is payments as it is, on the real gateway and a database of the test's own, with a clock that the test sets.
type shop struct {
	*Payments
	db        *database.DB
	kept      *store.Store
	box       *outbox.Outbox
	published *eventtest.Recorder
	legacy    *legacytest.Gateway
	wire      *wire
	clock     atomic.Int64 // microseconds
}

func newShop(t testing.TB) *shop {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	s := &shop{db: db, published: &eventtest.Recorder{}, legacy: legacytest.New(t)}
	var err error
	if s.box, err = outbox.New(db, s.published, outbox.Options{}); err != nil {
		t.Fatal(err)
	}
	s.kept = store.New(db, s.box)
	s.wire = &wire{handler: s.legacy}
	s.clock.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	s.Payments = s.start(t, s.kept)
	return s
}

// start starts payments anew on what is kept, as after a crash.
func (s *shop) start(t testing.TB, kept Store) *Payments {
	t.Helper()
	client, err := legacyapi.NewClientWithResponses("http://legacy", legacyapi.WithHTTPClient(s.wire))
	if err != nil {
		t.Fatal(err)
	}
	p := New(kept, gateway.New(client), slog.New(slog.DiscardHandler), nil)
	p.now = func() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }
	return p
}

// settle lets time pass and the worker work until nothing is open any more.
func (s *shop) settle(t testing.TB) {
	t.Helper()
	for range 50 {
		s.clock.Add(int64(time.Minute / time.Microsecond))
		if n, err := s.Work(t.Context()); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			return
		}
	}
	t.Fatal("something stays open")
}

// card registers a card of the customer c.
func (s *shop) card(t testing.TB, number string) string {
	t.Helper()
	method, err := s.Register(t.Context(), "c", domain.NewCard(number, 12, 2099, "987"))
	if err != nil {
		t.Fatal(err)
	}
	return method.ID
}

func (s *shop) get(t testing.TB, orderID string) domain.Payment {
	t.Helper()
	p, err := s.kept.Get(t.Context(), orderID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// charged is what the gateway has charged, all in all, in cents, and how often.
func (s *shop) charged(t testing.TB) (cents int64, times int) {
	t.Helper()
	for _, n := range s.legacy.Charged(t) {
		cents += n
		times++
	}
	return cents, times
}

// events gives the types of the events that were published so far, by order.
func (s *shop) events(t testing.TB) map[string][]string {
	t.Helper()
	if err := s.box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	types := map[string][]string{}
	for _, e := range s.published.Events() {
		types[e.Subject()] = append(types[e.Subject()], e.Type())
	}
	return types
}

func order(t testing.TB, id, method, amount string) domain.Order {
	t.Helper()
	m, err := money.New(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return domain.Order{ID: id, CustomerID: "c", Method: method, Amount: m}
}

func (s *shop) wants(t testing.TB, orderID string, want domain.Status, cents int64) {
	t.Helper()
	if got := s.get(t, orderID); got.Status != want {
		t.Errorf("order %s is %s (%s), want %s", orderID, got.Status, got.Reason, want)
	}
	if got, _ := s.charged(t); got != cents {
		t.Errorf("%d cents are charged, want %d", got, cents)
	}
}

func (s *shop) charge(t testing.TB, o domain.Order) domain.Payment {
	t.Helper()
	p, err := s.Charge(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// reserved and cancelled are the events' handlers, in a transaction like that of the inbox.
func (s *shop) reserved(t testing.TB, o domain.Order) error {
	t.Helper()
	return s.kept.InTx(t.Context(), func(ctx context.Context) error { return s.Reserved(ctx, o) })
}

func (s *shop) cancelled(t testing.TB, orderID string) {
	t.Helper()
	if err := s.kept.InTx(t.Context(), func(ctx context.Context) error { return s.Cancelled(ctx, orderID) }); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(limit) {
			t.Fatal("it never came true")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}
