package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/topic"
)

// fault is what a service does on purpose, as package fault says.
type fault struct {
	Error      int      `json:"error,omitempty"`
	Refuse     bool     `json:"refuse,omitempty"`
	Share      float64  `json:"share"`
	Operations []string `json:"operations"`
}

// arrange has a service fail as told, until heal or until it starts again.
func (s *shop) arrange(t *testing.T, service string, f fault) {
	t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	s.admin(t, http.MethodPut, service, body)
}

func (s *shop) heal(t *testing.T, service string) {
	t.Helper()
	s.admin(t, http.MethodDelete, service, nil)
}

func (s *shop) admin(t *testing.T, method, service string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Service(service).Admin+"/fault", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: status %d, %s", method, req.URL, resp.StatusCode, text)
	}
}

// faults are victims that live, and misbehave for a while.
func (s *shop) faults() []victim {
	misbehaves := func(name, service string, f fault) victim {
		return victim{name, func(t *testing.T) {
			t.Helper()
			s.arrange(t, service, f)
		}, func(t *testing.T) {
			t.Helper()
			s.heal(t, service)
		}}
	}
	return []victim{
		misbehaves("shipping (refuses)", "shipping", fault{Error: http.StatusConflict, Share: 0.5, Operations: []string{"arrangeShipment"}}),
		misbehaves("legacy (mute)", "legacy", fault{Refuse: true, Share: 0.5, Operations: []string{"gatewayLookup", "gatewayRefund"}}),
		misbehaves("payments (mute)", "payments", fault{Refuse: true, Share: 0.5, Operations: []string{"chargePayment", "refundPayment", "commitTransaction"}}),
	}
}

// refundAfterCharge has shipping refuse an order by a saga that is charged by then, and gives the order.
func (s *shop) refundAfterCharge(t *testing.T, b *books, c buyer) string {
	t.Helper()
	s.arrange(t, "shipping", fault{Error: http.StatusConflict, Share: 1, Operations: []string{"arrangeShipment"}})
	id, err := s.place(t.Context(), wish{c.id, c.cards["pays"], []item{{c.plenty, 1}}}, c.way)
	if err != nil {
		t.Fatal(err)
	}
	b.await(t, "the order that is not shipped is cancelled", func(l *ledger) bool { return l.orders[id].Status == "cancelled" })
	s.heal(t, "shipping")
	return id
}

// loseAnswers has the gateway charge an order of each buyer without anybody hearing of it: the answer is lost, and so are those to the
// questions that follow. Then payments, which knows that it does not know, is killed.
func (s *shop) loseAnswers(t *testing.T, b *books, buyers []buyer) (ids []string) {
	t.Helper()
	s.arrange(t, "legacy", fault{Refuse: true, Share: 1, Operations: []string{"gatewayLookup"}})
	for _, c := range buyers {
		id, err := s.place(t.Context(), wish{c.id, c.cards["hangs"], []item{{c.plenty, 1}}}, c.way)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	b.await(t, "payments knows that it does not know", func(l *ledger) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !l.orders[id].unanswered && len(l.orders[id].charges) < 2 })
	})
	for _, v := range s.services() {
		if v.name == "payments" {
			v.kill(t)
			s.heal(t, "legacy")
			v.start(t)
		}
	}
	return ids
}

// await waits until the books show something.
func (b *books) await(t *testing.T, what string, shows func(*ledger) bool) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		l, err := b.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if shows(l) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("not within a minute: %s\n%s", what, l)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// gossiped are the events that are repeated.
var gossiped = []string{
	"order.created.v1", "order.completed.v1", "order.cancelled.v1", "inventory.reserved.v1", "inventory.reservation.failed.v1",
	"payment.processed.v1", "payment.failed.v1",
}

// repeated marks a record that gossip has sent.
const repeated = "repeated"

// gossip repeats events, until ctx ends: any time later, so that they come after others that they were before, some as they were and
// some under another id, as if they had happened again. It counts them.
func gossip(ctx context.Context, brokers []string, random *rand.Rand, told *atomic.Int64) error {
	var group errgroup.Group
	for _, name := range gossiped {
		for partition := range topic.Partitions {
			random := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
			group.Go(func() error { return gossipOf(ctx, brokers, name, partition, random, told) })
		}
	}
	return group.Wait()
}

func gossipOf(ctx context.Context, brokers []string, name string, partition int, random *rand.Rand, told *atomic.Int64) error {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: name, Partition: partition, MaxWait: 200 * time.Millisecond})
	defer func() { _ = reader.Close() }()
	writer := &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: name, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition }),
	}
	defer func() { _ = writer.Close() }()
	var later []kafka.Message
	for {
		wait, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(500))*time.Millisecond)
		m, err := reader.ReadMessage(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !has(m, repeated) && random.IntN(2) == 0:
			later = append(later, again(m, random))
		}
		if len(later) == 0 || random.IntN(2) == 0 {
			continue
		}
		i := random.IntN(len(later))
		if err := writer.WriteMessages(ctx, later[i]); err == nil { // else the broker is away
			told.Add(1)
			later = slices.Delete(later, i, i+1)
		}
	}
}

func has(m kafka.Message, header string) bool {
	return slices.ContainsFunc(m.Headers, func(h kafka.Header) bool { return h.Key == header })
}

// again is the record once more; every third has another id.
func again(m kafka.Message, random *rand.Rand) kafka.Message {
	headers := append(slices.Clone(m.Headers), kafka.Header{Key: repeated, Value: []byte("yes")})
	if random.IntN(3) == 0 {
		for i, h := range headers {
			if h.Key == "ce_id" {
				headers[i].Value = []byte(uuid.NewString())
			}
		}
	}
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: headers}
}
