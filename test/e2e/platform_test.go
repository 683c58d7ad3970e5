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
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../.."

// start runs the platform of this repository, with the options' stores, and stops it when the test ends.
func start(t *testing.T, o local.Options) *local.Platform {
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
	return platform
}

// post sends a JSON body and decodes the answer.
func post(t *testing.T, url string, body, answer any) (status int) {
	t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp, answer)
}

func get(t *testing.T, url string, answer any) (status int) {
	t.Helper()
	resp, err := http.Get(url)
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
func customer(t *testing.T, p *local.Platform, name string) string {
	t.Helper()
	var user struct{ ID string }
	email := fmt.Sprintf("%s-%d@example.com", strings.ToLower(name), time.Now().UnixNano())
	if status := post(t, p.Service("users").URL+"/v1/users", map[string]string{"name": name, "email": email}, &user); status != http.StatusCreated {
		t.Fatalf("register a user: status %d", status)
	}
	return user.ID
}

// product adds a product and gives the id.
func product(t *testing.T, p *local.Platform, name, amount string) string {
	t.Helper()
	var added struct{ ID string }
	body := map[string]any{"sku": name, "name": name, "price": map[string]string{"amount": amount, "currency": "EUR"}}
	if status := post(t, p.Service("catalog").URL+"/v1/products", body, &added); status != http.StatusCreated {
		t.Fatalf("add a product: status %d", status)
	}
	return added.ID
}

// order is what the tests look at in an order.
type order struct {
	ID, Code string
	Customer struct{ Name string }
	Total    struct{ Amount string }
}

// place orders two pieces of a product.
func place(t *testing.T, p *local.Platform, customer, product string) (int, order) {
	t.Helper()
	var placed order
	status := post(t, p.Service("orders").URL+"/v1/orders", map[string]any{
		"customerId": customer, "items": []any{map[string]any{"productId": product, "quantity": 2}},
	}, &placed)
	return status, placed
}

// tryPlace orders a piece from a service that may die meanwhile, and gives the id of an order that was acknowledged.
func tryPlace(p *local.Platform, customer, product string) (id string, ok bool) {
	body := fmt.Sprintf(`{"customerId": %q, "items": [{"productId": %q, "quantity": 1}]}`, customer, product)
	resp, err := http.Post(p.Service("orders").URL+"/v1/orders", "application/json", strings.NewReader(body))
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
