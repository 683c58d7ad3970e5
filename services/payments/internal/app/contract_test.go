package app

import (
	"log/slog"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

func TestConsumersCanReadTheEvents(t *testing.T) {
	p, published := New(nil, nil, slog.New(slog.DiscardHandler), nil), map[string][]byte{}
	for _, status := range []domain.Status{domain.Succeeded, domain.Failed} {
		events, err := p.outcome(domain.Payment{ID: "p1", Order: domain.Order{ID: "o1", CustomerID: "ada"}, Status: status, Reason: "declined", Announced: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			published[e.Type()] = e.Data()
		}
	}
	expecttest.VerifyEvents(t, "payments", published)
}
