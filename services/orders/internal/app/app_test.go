package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// says is a flag that has this value for Ada and its default for others.
type says string

func (s says) String(_ context.Context, name, fallback, key string) string {
	if name == FulfilmentFlag && key == "ada" {
		return string(s)
	}
	return fallback
}

// diary is what the partners of a test were asked, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, " ")
}

// fake is a partner that answers as it is told to, and then with success.
type fake struct {
	name    string
	diary   *diary
	mu      sync.Mutex
	answers map[string][]error
}

func (f *fake) answer(call string) error {
	f.diary.note(call + ":" + f.name)
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.answers[call]
	if len(left) == 0 {
		return nil
	}
	f.answers[call] = left[1:]
	return left[0]
}

func (f *fake) Do(context.Context, domain.Snapshot) error { return f.answer("do") }
func (f *fake) Undo(context.Context, string) error        { return f.answer("undo") }

func (f *fake) Prepare(context.Context, domain.Snapshot) error { return f.answer("prepare") }
func (f *fake) Commit(_ context.Context, id string) error      { return f.answer("commit " + id) }
func (f *fake) Abort(_ context.Context, id string) error       { return f.answer("abort " + id) }

// shop is Orders with partners that are fakes.
type shop struct {
	*Orders

	till      *till
	partners  map[string]*fake
	diary     *diary
	registry  *prometheus.Registry
	published func() []event.Event
}

func newShop(t *testing.T, flag says, change ...func(*Deps)) *shop {
	t.Helper()
	return newShopOn(t, databasetest.New(t, migrations.FS), flag, change...)
}

func newShopOn(t *testing.T, db *database.DB, flag says, change ...func(*Deps)) *shop {
	t.Helper()
	for _, tables := range tablesOfChassis {
		if err := database.Migrate(t.Context(), db, tables); err != nil {
			t.Fatal(err)
		}
	}
	published := &eventtest.Recorder{}
	box, err := outbox.New(db, published, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{partners: map[string]*fake{}, till: newTill(), diary: &diary{}, registry: prometheus.NewRegistry()}
	for _, name := range []string{"inventory", "payments", "shipping"} {
		s.partners[name] = &fake{name: name, diary: s.diary, answers: map[string][]error{}}
	}
	deps := Deps{
		Database: db, Outbox: box, Flags: flag, Log: slog.New(slog.DiscardHandler), Registry: s.registry, Till: s.till,
		Partners: Partners{s.partners["inventory"], s.partners["payments"], s.partners["shipping"]}, Wait: 20 * time.Second,
	}
	for _, c := range change {
		c(&deps)
	}
	if s.Orders, err = New(deps); err != nil {
		t.Fatal(err)
	}
	s.published = func() []event.Event {
		ctx, stop := context.WithCancel(t.Context()) // a relay that is told to stop publishes first what it finds
		stop()
		if err := box.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return published.Events()
	}
	return s
}

func (s *shop) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		group.Wait()
	})
}

// tea is two pieces of it.
func tea(t *testing.T) domain.Item {
	t.Helper()
	price, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return domain.Item{ProductID: "tea", Name: "Tea", Quantity: 2, UnitPrice: price}
}

func wish(t *testing.T, id, customer string) Wish {
	t.Helper()
	return Wish{
		ID: id, Customer: domain.Customer{ID: customer, Name: "Ada"}, Items: []domain.Item{tea(t)},
		Method: "m1", Shipping: domain.Shipping{Address: "Main Street 1"},
	}
}

// place places an order and gives it as it was shown in the transaction.
func (s *shop) place(t *testing.T, id, customer string) (placed domain.Snapshot, err error) {
	t.Helper()
	err = s.Create(t.Context(), wish(t, id, customer), func(_ context.Context, _ bun.Tx, order domain.Snapshot) error {
		placed = order
		return nil
	})
	return placed, err
}

// settled waits until the order is.
func (s *shop) settled(t *testing.T, id string) domain.Snapshot {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		order, err := s.store.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if order.Status != domain.Confirmed {
			return order
		}
		if time.Now().After(deadline) {
			t.Fatalf("the order is not settled; the partners were asked: %s", s.diary)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestOrderIsFulfilledAsTheFlagSaysForItsCustomer(t *testing.T) {
	for _, test := range []struct {
		flag     says
		customer string
		want     domain.Fulfilment
	}{
		{"choreography", "ada", domain.Choreography},
		{"orchestration", "ada", domain.Orchestration},
		{"two-phase", "ada", domain.TwoPhase},
		{"orchestration", "eve", domain.Choreography},
		{"telepathy", "ada", domain.Choreography},
	} {
		t.Run(string(test.flag)+" of "+test.customer, func(t *testing.T) {
			s := newShop(t, test.flag)
			placed, err := s.place(t, "1", test.customer)
			if err != nil || placed.Fulfilment != test.want || placed.Status != domain.Confirmed {
				t.Errorf("placed %+v, %v", placed, err)
			}
			kept, err := s.store.Get(t.Context(), "1")
			if err != nil || kept.Fulfilment != test.want {
				t.Errorf("kept %+v, %v", kept, err)
			}
			events := s.published()
			if len(events) != 1 || events[0].Type() != api.OrderCreatedV1Type || events[0].Subject() != "1" {
				t.Fatalf("published %v", events)
			}
			told, err := event.Decode[api.OrderCreatedV1](events[0])
			if err != nil || *told.Fulfilment != string(test.want) || *told.PaymentMethod != "m1" || told.CustomerID != test.customer ||
				told.Total.Amount != "25.00" || len(told.Items) != 1 || told.Items[0].Quantity != 2 {
				t.Errorf("told %+v, %v", told, err)
			}
		})
	}
}

func TestSagaSettlesTheOrder(t *testing.T) {
	no, away := &Refusal{Reason: "stock_insufficient"}, errors.New("connect: secret of the network")
	for name, test := range map[string]struct {
		answers map[string][]error // of "call:partner"
		asked   string
		status  domain.Status
		reason  string
	}{
		"all can be done":       {nil, "do:inventory do:payments do:shipping", domain.Completed, ""},
		"inventory refuses":     {map[string][]error{"do:inventory": {no}}, "do:inventory", domain.Cancelled, "stock_insufficient"},
		"payments refuses":      {map[string][]error{"do:payments": {no}}, "do:inventory do:payments undo:inventory", domain.Cancelled, "stock_insufficient"},
		"shipping refuses":      {map[string][]error{"do:shipping": {no}}, "do:inventory do:payments do:shipping undo:payments undo:inventory", domain.Cancelled, "stock_insufficient"},
		"the answer comes late": {map[string][]error{"do:payments": {away}}, "do:inventory do:payments " + "do:payments do:shipping", domain.Completed, ""},
		"a refusal after doubt is undone": {
			map[string][]error{"do:payments": {away, no}}, "do:inventory do:payments " + "do:payments undo:payments undo:inventory", domain.Cancelled, "stock_insufficient",
		},
		"payments does not answer": {
			map[string][]error{"do:payments": {saga.Permanent(away)}}, "do:inventory do:payments undo:payments undo:inventory", domain.Cancelled, unanswered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, "orchestration")
			for call, answers := range test.answers {
				call, partner, _ := strings.Cut(call, ":")
				s.partners[partner].answers[call] = answers
			}
			s.run(t)
			if _, err := s.place(t, "1", "ada"); err != nil {
				t.Fatal(err)
			}
			order := s.settled(t, "1")
			if order.Status != test.status || order.Reason != test.reason || s.diary.String() != test.asked {
				t.Errorf("%s, %q after %s", order.Status, order.Reason, s.diary)
			}
			s.wantTold(t, order)
		})
	}
}

// wantTold checks that the end of an order was told once, and counted.
func (s *shop) wantTold(t *testing.T, order domain.Snapshot) {
	t.Helper()
	end := api.OrderCompletedV1Type
	if order.Status == domain.Cancelled {
		end = api.OrderCancelledV1Type
	}
	var types []string
	for _, e := range s.published() {
		types = append(types, e.Type())
	}
	slices.Sort(types)
	if want := []string{end, api.OrderCreatedV1Type}; !slices.Equal(types, want) {
		t.Errorf("told %v, want %v", types, want)
	}
	counted := s.metrics.Settled(string(order.Fulfilment), string(order.Status))
	for deadline := time.Now().Add(20 * time.Second); testutil.ToFloat64(counted) != 1; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) { // it is counted right after the commit
			t.Fatalf("counted %v", testutil.ToFloat64(counted))
		}
	}
}

func TestTransactionSettlesTheOrder(t *testing.T) {
	no, away := &Refusal{Reason: "stock_insufficient"}, errors.New("connect: secret of the network")
	for name, test := range map[string]struct {
		answers map[string][]error // of "call:partner"
		told    string
		status  domain.Status
		reason  string
	}{
		"all vote yes":              {nil, "commit 1", domain.Completed, ""},
		"inventory votes no":        {map[string][]error{"prepare:inventory": {no}}, "abort 1", domain.Cancelled, "stock_insufficient"},
		"payments votes no":         {map[string][]error{"prepare:payments": {no}}, "abort 1", domain.Cancelled, "stock_insufficient"},
		"shipping votes no":         {map[string][]error{"prepare:shipping": {no}}, "abort 1", domain.Cancelled, "stock_insufficient"},
		"the vote comes late":       {map[string][]error{"prepare:payments": {away, away}}, "commit 1", domain.Completed, ""},
		"a commit has to be told":   {map[string][]error{"commit 1:payments": {away}}, "commit 1", domain.Completed, ""},
		"an abort has to be told":   {map[string][]error{"prepare:payments": {no}, "abort 1:inventory": {away}}, "abort 1", domain.Cancelled, "stock_insufficient"},
		"a commit is never refused": {map[string][]error{"commit 1:payments": {no}}, "commit 1", domain.Completed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, "two-phase")
			failures := 0
			for call, answers := range test.answers {
				call, partner, _ := strings.Cut(call, ":")
				s.partners[partner].answers[call] = answers
				if !strings.HasPrefix(call, "prepare") {
					failures++
				}
			}
			s.run(t)
			if _, err := s.place(t, "1", "ada"); err != nil {
				t.Fatal(err)
			}
			order := s.settled(t, "1")
			if order.Status != test.status || order.Reason != test.reason {
				t.Errorf("%s, %q after %s", order.Status, order.Reason, s.diary)
			}
			s.wantTold(t, order)
			s.wantEnded(t)
			for partner := range s.partners {
				if !strings.Contains(s.diary.String(), test.told+":"+partner) {
					t.Errorf("%s was not told: %s", partner, s.diary)
				}
			}
			if got := strings.Count(s.diary.String(), test.told+":"); got != len(s.partners)+failures {
				t.Errorf("the decision was told %d times: %s", got, s.diary)
			}
		})
	}
}

// wantEnded waits until all partners know the decision about the order 1.
func (s *shop) wantEnded(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		txn, err := s.coordinator.Get(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		if len(txn.Pending) == 0 && !txn.FinishedAt.IsZero() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the transaction has not ended: %+v after %s", txn, s.diary)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestCompensationThatIsRefusedIsLeftToAPerson(t *testing.T) {
	s := newShop(t, "orchestration")
	s.partners["payments"].answers["do"] = []error{&Refusal{Reason: "declined"}}
	s.partners["inventory"].answers["undo"] = []error{&Refusal{Reason: "reservation_taken"}}
	s.run(t)
	if _, err := s.place(t, "1", "ada"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		parked, err := s.saga.List(t.Context(), saga.Parked, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(parked) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no saga is parked; the partners were asked: %s", s.diary)
		}
		<-time.After(5 * time.Millisecond)
	}
	if order, err := s.store.Get(t.Context(), "1"); err != nil || order.Status != domain.Confirmed {
		t.Errorf("the order is %+v, %v", order, err)
	}
	if err := s.saga.Resume(t.Context(), "1"); err != nil { // the person has mended it
		t.Fatal(err)
	}
	if order := s.settled(t, "1"); order.Status != domain.Cancelled || order.Reason != "declined" {
		t.Errorf("the order is %+v", order)
	}
}

func TestNothingIsPlacedByHalves(t *testing.T) {
	s := newShop(t, "orchestration")
	if _, err := s.place(t, "1", "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Database.NewRaw(`ALTER TABLE "saga" RENAME TO "gone"`).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.place(t, "2", "ada"); err == nil {
		t.Error("an order was placed that nothing fulfils")
	}
	err := s.Create(t.Context(), wish(t, "3", "eve"), func(context.Context, bun.Tx, domain.Snapshot) error { return errors.New("made by the test") })
	if err == nil {
		t.Error("an order was placed without what belongs to it")
	}
	for _, id := range []string{"2", "3"} {
		if _, err := s.store.Get(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("order %s was kept: %v", id, err)
		}
	}
	if events := s.published(); len(events) != 1 {
		t.Errorf("it was told of: %v", events)
	}
}

// TestDraftIsPlacedWhenItIsConfirmed puts an order together step by step; until it is confirmed nobody hears of it.
func TestDraftIsPlacedWhenItIsConfirmed(t *testing.T) {
	s := newShop(t, "orchestration")
	draft := Wish{ID: "1", Customer: domain.Customer{ID: "ada", Name: "Ada"}, Draft: true}
	if err := s.Create(t.Context(), draft, nil); err != nil {
		t.Fatal(err)
	}
	change := func(change func(*domain.Order) error) domain.Snapshot {
		t.Helper()
		order, err := s.Change(t.Context(), "1", change, nil)
		if err != nil {
			t.Fatal(err)
		}
		return order
	}
	total := change(func(o *domain.Order) error { return o.AddItem(tea(t)) }).Total
	change(func(o *domain.Order) error { return o.SetPayment(domain.Payment{Method: "m1", Amount: total}) })
	if _, err := s.Confirm(t.Context(), "1"); !errors.Is(err, domain.ErrNoShipping) {
		t.Errorf("confirmed without an address: %v", err)
	}
	change(func(o *domain.Order) error { return o.SetShipping(domain.Shipping{Address: "Main Street 1"}) })
	if told := s.published(); len(told) != 0 {
		t.Errorf("others were told of a draft: %v", told)
	}
	if under, err := s.saga.List(t.Context(), saga.Running, 0); err != nil || len(under) != 0 {
		t.Errorf("a draft is being fulfilled: %v, %v", under, err)
	}
	for range 2 { // said again, it changes nothing
		order, err := s.Confirm(t.Context(), "1")
		if err != nil || order.Status != domain.Confirmed || order.Fulfilment != domain.Orchestration {
			t.Fatalf("confirmed %+v, %v", order, err)
		}
	}
	s.run(t)
	order := s.settled(t, "1")
	if order.Status != domain.Completed || s.diary.String() != "do:inventory do:payments do:shipping" {
		t.Errorf("%+v after %s", order, s.diary)
	}
	s.wantTold(t, order)
	if _, err := s.Confirm(t.Context(), "2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown order: %v", err)
	}
}

// TestNothingIsConfirmedByHalves confirms a draft that nothing can fulfil.
func TestNothingIsConfirmedByHalves(t *testing.T) {
	s := newShop(t, "orchestration")
	draft := wish(t, "1", "ada")
	draft.Draft = true
	if err := s.Create(t.Context(), draft, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Database.NewRaw(`ALTER TABLE "saga" RENAME TO "gone"`).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Confirm(t.Context(), "1"); err == nil {
		t.Error("an order was confirmed that nothing fulfils")
	}
	if order, err := s.store.Get(t.Context(), "1"); err != nil || order.Status != domain.Drafted || len(s.published()) != 0 {
		t.Errorf("it is %+v, %v; told %v", order, err, s.published())
	}
}

func TestDraftsAreCounted(t *testing.T) {
	s := newShop(t, "choreography")
	for _, id := range []string{"1", "2"} {
		draft := wish(t, id, "ada")
		draft.Draft = true
		if err := s.Create(t.Context(), draft, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t)
	for deadline := time.Now().Add(20 * time.Second); testutil.ToFloat64(s.metrics.Drafts()) != 2; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v drafts are counted", testutil.ToFloat64(s.metrics.Drafts()))
		}
	}
}
