package store_test

import (
	"errors"
	"testing"

	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

func unsetStock(t *testing.T, l lab) {
	l.expect(t, "tea", 0, 0)
	_, _, err := l.Handle(t.Context(), "1", domain.Reserve, domain.Line{ProductID: "tea", Quantity: 1})
	if !errors.Is(err, domain.ErrInsufficient) {
		t.Errorf("error %v, want %v", err, domain.ErrInsufficient)
	}
}

func setStock(t *testing.T, l lab) {
	l.set(t, "tea", 5)
	l.tell(t, "1", domain.Reserve, domain.Reserved, domain.Line{ProductID: "tea", Quantity: 3})
	l.set(t, "tea", 3)
	l.expect(t, "tea", 3, 3)
	if got, err := l.SetStock(t.Context(), "tea", 2); !errors.Is(err, domain.ErrBelowReserved) {
		t.Errorf("%v and %v, want %v", got, err, domain.ErrBelowReserved)
	}
	l.expect(t, "tea", 3, 3)
}

func refusedByTheDatabase(t *testing.T, l lab) {
	l.set(t, "tea", 5)
	for _, change := range []string{"reserved = 6", "reserved = -1", "on_hand = -1"} {
		if _, err := l.db.ExecContext(t.Context(), "UPDATE stock SET "+change); err == nil {
			t.Errorf("it has set %s", change)
		}
	}
	l.expect(t, "tea", 5, 0)
}
