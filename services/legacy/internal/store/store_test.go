package store

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/legacy/internal/domain"
	"github.com/trellis-mesh/trellis/services/legacy/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, migrations.FS) })
}

// conformance checks what the store promises on every kind of database.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store){
		"what is kept is given again":                     keeps,
		"an unknown payment is not found":                 unknown,
		"a reference is kept once":                        keepsOnce,
		"of many at once one is kept":                     keepsOneOfMany,
		"a refund takes the charge back once":             refunds,
		"a refund that comes first keeps the payment out": refundsFirst,
		"charge and refund at once leave nothing charged": refundsMeanwhile,
	} {
		t.Run(name, func(t *testing.T) { test(t, New(open(t))) })
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func payment(reference, transaction string) domain.Payment {
	return domain.Payment{
		Reference: reference, TransactionID: transaction, Arrived: true, Status: http.StatusOK, Message: "approved",
		Behaviour: domain.Pays, Last4: "1111", AmountCents: 1250, Currency: "EUR", CreatedAt: at,
	}
}

func keep(t *testing.T, s *Store, p domain.Payment) (domain.Payment, bool) {
	t.Helper()
	kept, first, err := s.Keep(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return kept, first
}

func refund(t *testing.T, s *Store, reference, transaction string) domain.Payment {
	t.Helper()
	kept, err := s.Refund(t.Context(), domain.Tombstone(reference, transaction, at))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func keeps(t *testing.T, s *Store) {
	want := payment("r", "t")
	if got, first := keep(t, s, want); !first || got != want {
		t.Errorf("kept %+v, %v", got, first)
	}
	for name, get := range map[string]func() (domain.Payment, error){
		"reference":   func() (domain.Payment, error) { return s.Get(t.Context(), "r") },
		"transaction": func() (domain.Payment, error) { return s.Transaction(t.Context(), "t") },
	} {
		got, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %s: %s", name, diff)
		}
	}
}

func unknown(t *testing.T, s *Store) {
	if _, err := s.Get(t.Context(), "r"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Transaction(t.Context(), "t"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func keepsOnce(t *testing.T, s *Store) {
	want, _ := keep(t, s, payment("r", "t1"))
	if got, first := keep(t, s, payment("r", "t2")); first || got.TransactionID != want.TransactionID {
		t.Errorf("kept %+v, %v", got, first)
	}
}

func keepsOneOfMany(t *testing.T, s *Store) {
	var group sync.WaitGroup
	var firsts atomic.Int32
	for i := range 8 {
		group.Go(func() {
			if _, first, err := s.Keep(t.Context(), payment("r", string(rune('a'+i)))); err != nil {
				t.Error(err)
			} else if first {
				firsts.Add(1)
			}
		})
	}
	group.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d were kept", n)
	}
}

func refunds(t *testing.T, s *Store) {
	keep(t, s, payment("r", "t"))
	for range 2 {
		if got := refund(t, s, "r", "tomb"); !got.Refunded || !got.Arrived || got.Charged() != 0 || got.TransactionID != "t" {
			t.Errorf("refunded %+v", got)
		}
	}
}

func refundsFirst(t *testing.T, s *Store) {
	for range 2 {
		if got := refund(t, s, "r", "tomb"); got.Arrived {
			t.Errorf("refunded %+v", got)
		}
	}
	if got, first := keep(t, s, payment("r", "t")); first || got.Charged() != 0 {
		t.Errorf("kept %+v, %v", got, first)
	}
}

func refundsMeanwhile(t *testing.T, s *Store) {
	for i := range 20 {
		reference := string(rune('a' + i))
		var group sync.WaitGroup
		group.Go(func() { keep(t, s, payment(reference, "t"+reference)) })
		group.Go(func() { refund(t, s, reference, "tomb"+reference) })
		group.Wait()
	}
	charged, err := s.Charged(t.Context())
	if err != nil || len(charged) != 0 {
		t.Errorf("charged %v, error %v", charged, err)
	}
}
