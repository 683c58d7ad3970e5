// Package shop proves that the shop's money and stock are safe: whatever dies, whenever it dies, and whichever way orders are
// fulfilled, what was charged is what completed orders cost, and what has left the shelf is what they bought.
package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../.."

// shop is the running platform, and a token for it.
type shop struct {
	*local.Platform

	flags  string // the file of flags of orders
	client http.Client

	mu    sync.Mutex
	token string
	until time.Time
}

// open runs the platform of this repository, with the options' stores, and stops it when the test ends.
func open(t *testing.T, o local.Options) *shop {
	t.Helper()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	logs := &bytes.Buffer{}
	s := &shop{flags: filepath.Join(t.TempDir(), "flags.yaml"), client: http.Client{Timeout: 20 * time.Second}}
	s.fulfil(t, nil)
	o.Root, o.Model, o.FreePorts, o.Logs, o.Log = root, model, true, logs, local.LogJSON
	o.Env = map[string]string{"APP_TELEMETRY_RATIO": "0"}
	// What a process had in hand when it was killed is taken up again soon, so that the test does not wait.
	o.ServiceEnv = map[string]map[string]string{"orders": {"APP_FLAGS_FILE": s.flags, "APP_FULFILMENT_LEASE": "3s"}}
	if s.Platform, err = local.Start(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, logs)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the services' logs:\n%s", logs)
		}
	})
	return s
}

// fulfil writes how the orders of customers are fulfilled.
func (s *shop) fulfil(t *testing.T, ways map[string]string) {
	t.Helper()
	file := map[string]any{"flags": map[string]any{"orders.fulfilment": map[string]any{"value": "choreography", "keys": ways}}}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.flags, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// call sends a JSON body with a token that allows all and, if there is one, an idempotency key, and decodes the answer. Its error is
// a service that is away.
func (s *shop) call(ctx context.Context, method, service, path, key string, body, answer any) (status int, err error) {
	authorization, err := s.authorization(ctx)
	if err != nil {
		return 0, err
	}
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Service(service).URL+path, bytes.NewReader(sent))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", authorization)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, json.Unmarshal(raw, answer)
}

// authorization is kept for half of the token's life: users, which issues it, may be away.
func (s *shop) authorization(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().After(s.until) {
		token, err := s.Token(ctx)
		if err != nil {
			return "", err
		}
		s.token, s.until = token, time.Now().Add(5*time.Minute)
	}
	return "Bearer " + s.token, nil
}

// must calls a service that is there, and wants that status.
func (s *shop) must(t *testing.T, method, service, path string, body, answer any, want int) {
	t.Helper()
	status, err := s.call(t.Context(), method, service, path, "", body, answer)
	if err != nil || status != want {
		t.Fatalf("%s %s: status %d, %v: %+v", method, path, status, err, answer)
	}
}

func (s *shop) customer(t *testing.T, name string) string {
	t.Helper()
	var made struct{ ID string }
	s.must(t, "POST", "users", "/v1/users", map[string]string{"name": name, "email": name + "@example.com"}, &made, http.StatusCreated)
	return made.ID
}

// product adds a product with so many pieces in stock.
func (s *shop) product(t *testing.T, name, amount string, pieces int) string {
	t.Helper()
	var made struct{ ID string }
	body := map[string]any{"sku": name, "name": name, "price": map[string]string{"amount": amount, "currency": "EUR"}}
	s.must(t, "POST", "catalog", "/v1/products", body, &made, http.StatusCreated)
	s.must(t, "PUT", "inventory", "/v1/stock/"+made.ID, map[string]int{"onHand": pieces}, &struct{}{}, http.StatusOK)
	return made.ID
}

func (s *shop) card(t *testing.T, customer, number string) string {
	t.Helper()
	var made struct{ ID string }
	body := map[string]any{"customerId": customer, "card": map[string]any{"number": number, "expiryMonth": 12, "expiryYear": 2099, "cvv": "123"}}
	s.must(t, "POST", "payments", "/v1/payment-methods", body, &made, http.StatusCreated)
	return made.ID
}

// item is what an order has of a product.
type item struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// wish is an order that a customer wants.
type wish struct {
	Customer string `json:"customerId"`
	Method   string `json:"paymentMethod"`
	Items    []item `json:"items"`
}

// place sends an order, with the same key each time, until it is acknowledged, and gives its id.
func (s *shop) place(ctx context.Context, w wish, fulfilment string) (id string, err error) {
	for key := uuid.NewString(); ; {
		var answer struct{ ID, Fulfilment, Code string }
		status, err := s.call(ctx, "POST", "orders", "/v1/orders", key, w, &answer)
		switch {
		case err == nil && status == http.StatusCreated && answer.Fulfilment != fulfilment:
			return "", fmt.Errorf("order %s is fulfilled by %s, want %s", answer.ID, answer.Fulfilment, fulfilment)
		case err == nil && status == http.StatusCreated:
			return answer.ID, nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests && answer.Code != "idempotency_in_progress":
			return "", fmt.Errorf("place %+v: status %d, %s", w, status, answer.Code)
		}
		select { // somebody is away
		case <-ctx.Done():
			return "", fmt.Errorf("place %+v: %w: %w", w, ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// pay pays the invoice of an order by a card, once it is completed, until it is known whether it could be.
func (s *shop) pay(ctx context.Context, id, card string) error {
	for {
		var order struct{ Status any }
		status, err := s.call(ctx, "GET", "orders", "/v1/orders/"+id, "", nil, &order)
		switch {
		case err == nil && status == http.StatusOK && order.Status == "cancelled":
			return nil
		case err == nil && status == http.StatusOK && order.Status == "completed":
			var answer struct{ Code string }
			status, err = s.call(ctx, "POST", "orders", "/v1/orders/"+id+"/pay", "", map[string]string{"paymentMethod": card}, &answer)
			switch {
			case err == nil && (status == http.StatusOK || answer.Code == "payment_failed" || answer.Code == "payment_undone"):
				return nil
			case err == nil && status != http.StatusAccepted && status < 500 && status != http.StatusTooManyRequests:
				return fmt.Errorf("pay %s: status %d, %s", id, status, answer.Code)
			}
		}
		select { // somebody is away, or takes time
		case <-ctx.Done():
			return fmt.Errorf("pay %s: %w: %w", id, ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
