package domain

import (
	"errors"
	"testing"
)

func TestStockFollowsAReservation(t *testing.T) {
	const onHand, held, pieces = 10, 4, 3 // 4 are held already, perhaps by this very reservation
	for _, test := range []struct {
		from, to         State
		onHand, reserved int
	}{
		{Absent, Reserved, 10, 7},
		{Absent, Promised, 10, 7},
		{Absent, Released, 10, 4},
		{Promised, Taken, 7, 1},
		{Promised, Absent, 10, 1},
		{Promised, Released, 10, 1},
		{Reserved, Taken, 7, 1},
		{Reserved, Released, 10, 1},
		{Taken, Taken, 10, 4},
	} {
		got, err := Stock{"tea", onHand, held}.Move(pieces, test.from, test.to)
		if want := (Stock{"tea", test.onHand, test.reserved}); err != nil || got != want {
			t.Errorf("%s to %s: %v and %v, want %v", test.from, test.to, got, err, want)
		}
	}
}

func TestTheLastPieceCanBeReservedAndNoMore(t *testing.T) {
	stock := Stock{"tea", 10, 7}
	for _, to := range []State{Reserved, Promised} {
		if got, err := stock.Move(3, Absent, to); err != nil || got.Available() != 0 {
			t.Errorf("%s: %v and %v", to, got, err)
		}
		if got, err := stock.Move(4, Absent, to); !errors.Is(err, ErrInsufficient) || got != stock {
			t.Errorf("%s: %v and %v, want %v", to, got, err, ErrInsufficient)
		}
	}
}

func TestStockIsNotSetBelowWhatIsReserved(t *testing.T) {
	stock := Stock{"tea", 10, 7}
	if got, err := stock.Set(7); err != nil || got != (Stock{"tea", 7, 7}) {
		t.Errorf("7: %v and %v", got, err)
	}
	if got, err := stock.Set(6); !errors.Is(err, ErrBelowReserved) || got != stock {
		t.Errorf("6: %v and %v, want %v", got, err, ErrBelowReserved)
	}
}
