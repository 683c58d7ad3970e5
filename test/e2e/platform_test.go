// Package e2e tests the platform as a whole: its services as processes, over HTTP and events.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../.."

// shop is the running platform, and a token for it.
type shop struct {
	*local.Platform

	mu    sync.Mutex
	token string
	until time.Time
}

// authorization is a header with all scopes that there are. The token is kept for half of its life: users, which issues it,
// may be away.
func (s *shop) authorization() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().After(s.until) {
		token, err := s.Token(context.Background())
		if err != nil {
			return "", err
		}
		s.token, s.until = token, time.Now().Add(5*time.Minute)
	}
	return "Bearer " + s.token, nil
}

// start runs the platform of this repository, with the options' stores, and stops it when the test ends.
func start(t *testing.T, o local.Options) *shop {
	t.Helper()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	logs := &bytes.Buffer{}
	o.Root, o.Model, o.FreePorts, o.DataDir, o.Logs, o.Log = root, model, true, t.TempDir(), logs, local.LogJSON
	platform, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, logs)
	}
	t.Cleanup(func() {
		if err := platform.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the services' logs:\n%s", logs)
		}
	})
	return &shop{Platform: platform}
}

// send sends a JSON body with an Authorization header, if it is not empty.
func send(method, url, authorization string, body any) (*http.Response, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return http.DefaultClient.Do(req)
}

// post sends a JSON body, with a token that allows all, and decodes the answer.
func post(t *testing.T, p *shop, service, path string, body, answer any) (status int) {
	t.Helper()
	return exchange(t, p, http.MethodPost, service, path, body, answer)
}

func get(t *testing.T, p *shop, service, path string, answer any) (status int) {
	t.Helper()
	return exchange(t, p, http.MethodGet, service, path, nil, answer)
}

func exchange(t *testing.T, p *shop, method, service, path string, body, answer any) (status int) {
	t.Helper()
	authorization, err := p.authorization()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := send(method, p.Service(service).URL+path, authorization, body)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp, answer)
}

func decode(t *testing.T, resp *http.Response, answer any) int {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return resp.StatusCode
}

// eventually waits until the condition holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %s", within, what)
		case <-again.C:
		}
	}
}

// customer registers a user and gives the id.
func customer(t *testing.T, p *shop, name string) string {
	t.Helper()
	var user struct{ ID string }
	email := fmt.Sprintf("%s-%d@example.com", strings.ToLower(name), time.Now().UnixNano())
	if status := post(t, p, "users", "/v1/users", map[string]string{"name": name, "email": email}, &user); status != http.StatusCreated {
		t.Fatalf("register a user: status %d", status)
	}
	return user.ID
}

// product adds a product and gives the id.
func product(t *testing.T, p *shop, name, amount string) string {
	t.Helper()
	var added struct{ ID string }
	body := map[string]any{"sku": name, "name": name, "price": map[string]string{"amount": amount, "currency": "EUR"}}
	if status := post(t, p, "catalog", "/v1/products", body, &added); status != http.StatusCreated {
		t.Fatalf("add a product: status %d", status)
	}
	return added.ID
}

// order is what the tests look at in an order.
type order struct {
	ID, Code, Reason string
	Fulfilment       string
	Status           any // a problem's is a number
	Customer         struct{ Name string }
	Total            struct{ Amount string }
}

// place orders two pieces of a product.
func place(t *testing.T, p *shop, customer, product string) (int, order) {
	t.Helper()
	var placed order
	status := post(t, p, "orders", "/v1/orders", map[string]any{
		"customerId": customer, "items": []any{map[string]any{"productId": product, "quantity": 2}},
	}, &placed)
	return status, placed
}

// tryPlace orders a piece from a service that may die meanwhile, and gives the id of an order that was acknowledged.
func tryPlace(p *shop, customer, product string) (id string, ok bool) {
	body := fmt.Sprintf(`{"customerId": %q, "items": [{"productId": %q, "quantity": 1}]}`, customer, product)
	authorization, err := p.authorization()
	if err != nil {
		return "", false
	}
	resp, err := send(http.MethodPost, p.Service("orders").URL+"/v1/orders", authorization, json.RawMessage(body))
	if err != nil {
		return "", false
	}
	defer func() { _ = resp.Body.Close() }()
	var placed order
	if err := json.NewDecoder(resp.Body).Decode(&placed); err != nil || resp.StatusCode != http.StatusCreated {
		return "", false
	}
	return placed.ID, true
}
