//go:build kind

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// payment and stock are what the test looks at.
type payment struct {
	Status        string
	Degraded      bool
	TransactionID string
	Amount        struct{ Amount string }
}

type stock struct{ OnHand, Reserved int }

// hangingCard registers a card that is charged, and the answer is lost.
func (s *shop) hangingCard(t *testing.T) string {
	t.Helper()
	card, err := s.create(t.Context(), "/v1/payment-methods", map[string]any{
		"customerId": s.customer, "card": map[string]any{"number": "4000000000000259", "expiryMonth": 12, "expiryYear": 2099, "cvv": "123"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// TestOrderThatFailsAfterTheChargeIsCompensatedOverKafka follows an order by events whose charge the gateway makes without anybody
// hearing of it; inventory then tells that it cannot keep the stock after all. Nobody calls anybody to make it good: orders tells that
// the order is cancelled, payments gives the money back, and inventory releases the stock.
func TestOrderThatFailsAfterTheChargeIsCompensatedOverKafka(t *testing.T) {
	s := theShop(t)
	show := func(path string, into any) error {
		a, err := s.ask(t.Context(), "GET", path, nil, nil)
		if err != nil {
			return err
		}
		return decode(a, http.StatusOK, into)
	}
	product, err := s.newProduct(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.fill(t.Context(), product); err != nil {
		t.Fatal(err)
	}
	var before, after stock
	if err := show("/v1/stock/"+product, &before); err != nil {
		t.Fatal(err)
	}
	card := s.hangingCard(t)
	var heal []func()
	for _, pod := range s.readyPods(t, "app=legacy") { // so that payments does not find out at once
		heal = append(heal, s.misbehave(t, pod.Name, `{"refuse": true, "share": 1, "operations": ["gatewayLookup"]}`))
	}
	cancelled := s.openTopic(t, "order.cancelled.v1")
	id, err := s.create(t.Context(), "/v1/orders", map[string]any{
		"customerId": s.customer, "paymentMethod": card, "items": []any{map[string]any{"productId": product, "quantity": 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var paid payment
	eventually(t, time.Minute, func() error {
		if err := show("/v1/payments/"+id, &paid); err != nil {
			return err
		}
		if paid.Status != "pending" || !paid.Degraded { // it is degraded once the gateway was asked in vain
			return fmt.Errorf("the payment is %+v", paid)
		}
		return nil
	})
	began := time.Now()
	s.publish(t, "inventory.reservation.failed.v1", id, map[string]any{"orderId": id, "reason": "damaged", "failedAt": began.UTC()})
	offset := cancelled.find(t, id)
	order := s.settled(t, id)
	for _, end := range heal { // not before: a charge that is found completes the order
		end()
	}
	eventually(t, time.Minute, func() error {
		if err := show("/v1/payments/"+id, &paid); err != nil {
			return err
		}
		if err := show("/v1/stock/"+product, &after); err != nil {
			return err
		}
		if paid.Status != "refunded" || after != before {
			return fmt.Errorf("the payment is %s, and the stock %+v", paid.Status, after)
		}
		return nil
	})
	if order.Status != "cancelled" || order.Reason != "damaged" {
		t.Errorf("the order is %+v", order)
	}
	if paid.TransactionID == "" {
		t.Error("nothing was charged that could be given back")
	}
	table(t, "An order that fails after its charge, compensated over Kafka", []any{"WHAT", "MEASURED"},
		[]any{"the order", order.Status + ": " + order.Reason}, []any{"order.cancelled.v1 in Kafka", offset},
		[]any{"its payment of " + paid.Amount.Amount, paid.Status}, []any{"made good after", ms(time.Since(began))})
}

// misbehave has a pod fail as a fault says, until what it gives is called, or the test ends.
func (s *shop) misbehave(t *testing.T, pod, fault string) (heal func()) {
	t.Helper()
	address, stop, err := s.Forward(t.Context(), s.namespace, pod, adminPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	set := load.Request{Method: "PUT", URL: "http://" + address + "/fault", Body: fault}
	if a := set.Send(t.Context(), http.DefaultClient); !a.OK() {
		t.Fatalf("make %s fail: %d %s%s", pod, a.Status, a.Body, a.Error)
	}
	heal = func() {
		end := load.Request{Method: "DELETE", URL: "http://" + address + "/fault"} // said again, it does nothing
		if a := end.Send(context.WithoutCancel(t.Context()), http.DefaultClient); !a.OK() {
			t.Errorf("heal %s: %d %s%s", pod, a.Status, a.Body, a.Error)
		}
	}
	t.Cleanup(heal)
	return heal
}

// publish sends an event past the mesh, as inventory would.
func (s *shop) publish(t *testing.T, typ, key string, payload any) {
	t.Helper()
	address, stop, err := s.Forward(t.Context(), "data", "kafka-0", 9092)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	dialer := &kafka.Dialer{Timeout: 10 * time.Second, DialFunc: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	conn, err := dialer.DialLeader(t.Context(), "tcp", address, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	value, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	m := kafka.Message{Key: []byte(key), Value: value}
	for name, text := range map[string]string{
		"ce_specversion": "1.0", "ce_id": unique(), "ce_source": "inventory", "ce_type": typ, "ce_subject": key,
		"ce_time": time.Now().UTC().Format(time.RFC3339Nano), "content-type": "application/json",
	} {
		m.Headers = append(m.Headers, kafka.Header{Key: name, Value: []byte(text)})
	}
	if _, err := conn.WriteMessages(m); err != nil {
		t.Fatal(err)
	}
}
