package consumer

import "testing"

func TestOrderCancelledV1GivesBack(t *testing.T) {
	f := newFixture(t)
	if err := f.InventoryReservedV1(t.Context(), reserved(t)); err != nil {
		t.Fatal(err)
	}
	e := cancelled(t)
	for range 2 {
		if err := f.OrderCancelledV1(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := f.kept.Get(t.Context(), "o"); err != nil || !p.GivenBack() {
		t.Errorf("payment %+v, %v", p, err)
	}
}

func TestOrderCancelledV1MayComeFirst(t *testing.T) {
	f := newFixture(t)
	for _, handle := range []func() error{
		func() error { return f.OrderCancelledV1(t.Context(), cancelled(t)) },
		func() error { return f.InventoryReservedV1(t.Context(), reserved(t)) },
	} {
		if err := handle(); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := f.kept.Get(t.Context(), "o"); err != nil || !p.IsTombstone() || len(f.told(t)) > 0 {
		t.Errorf("payment %+v, %v; told %v", p, err, f.told(t))
	}
}
