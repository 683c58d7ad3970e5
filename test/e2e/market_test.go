package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/test/market"
	"github.com/trellis-mesh/trellis/test/play/game"
)

// TestPeopleShopWithoutAFault fills the shop twice, which changes nothing the second time, and has people shop there: no answer is a
// 5xx, and every order is completed or cancelled.
func TestPeopleShopWithoutAFault(t *testing.T) {
	p := start(t, local.Options{Env: map[string]string{"APP_TELEMETRY_RATIO": "0"}})
	shop, err := market.Of(t.Context(), p.Platform)
	if err != nil {
		t.Fatal(err)
	}
	plan := market.Plan{Seed: 1, Products: 50, Users: 20, Orders: 40}
	first := fill(t, shop, plan)
	created := map[string]int{"products": 50, "stock": 48, "products of the monolith": 50, "users": 20, "cards": 20, "orders": 40, "orders settled, by user": 0}
	if diff := cmp.Diff(created, counts(first)); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if first.Outcomes["completed"] == 0 || first.Outcomes["cancelled"] == 0 || first.Outcomes["completed"]+first.Outcomes["cancelled"] != plan.Orders {
		t.Errorf("outcomes %v", first.Outcomes)
	}
	second := fill(t, shop, plan)
	for kind := range created {
		created[kind] = 0
	}
	if diff := cmp.Diff(created, counts(second)); diff != "" {
		t.Errorf("made the second time (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first.Outcomes, second.Outcomes); diff != "" {
		t.Errorf("orders after the second time (-first +second):\n%s", diff)
	}
	play(t, shop)
}

func fill(t *testing.T, shop *market.Shop, plan market.Plan) *market.Filled {
	t.Helper()
	filled, err := market.Fill(t.Context(), shop, plan, market.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if filled.Failed() > 0 {
		t.Fatalf("%+v", filled.Report)
	}
	return filled
}

// counts are how many things of each kind were made.
func counts(filled *market.Filled) map[string]int {
	made := map[string]int{}
	for _, c := range filled.Report {
		made[c.Kind] = c.Created
	}
	return made
}

func play(t *testing.T, shop *market.Shop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run, err := game.Prepare(ctx, shop, game.Game{
		Seed: 1, People: 20, Products: 50, Rate: 12, For: 12 * time.Second, Settle: time.Minute,
		Rates: game.Rates{Orders: 0.8, Declined: 0.2, Invoice: 0.2, SoldOut: 0.2},
	})
	if err != nil {
		t.Fatal(err)
	}
	result := run.Play(ctx, nil)
	if err := result.Verdict(); err != nil {
		t.Errorf("%v: %v", err, result.Faults)
	}
	if result.Orders.Placed == 0 {
		t.Errorf("nobody ordered anything: %+v", result)
	}
	for _, l := range result.Actions {
		if l.OK == 0 || l.Refused > 0 {
			t.Errorf("%s: %+v", l.Action, l)
		}
	}
	t.Logf("%+v", result)
}
