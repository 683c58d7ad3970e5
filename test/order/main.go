// Command order places an order on the local cluster, as a customer would: through the gateway, with a token. It shows that all
// parts of the shop work together.
//
//	go run ./test/order            (make kind-up does so at its end)
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	model, err := spec.Load(os.DirFS("."))
	if err != nil {
		return err
	}
	for _, name := range []string{"users", "catalog", "inventory", "orders"} {
		if model.Service(name) == nil {
			return nil // it is another shop
		}
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	p, err := cluster.New(cluster.Options{Root: root, Model: model})
	if err != nil {
		return err
	}
	token, err := p.Token(ctx)
	if err != nil {
		return err
	}
	c := &customer{browser: p.Browser(), base: "https://" + model.Platform.Gateway.Hosts[0], token: token}
	began := time.Now()
	var user, product, order struct {
		ID, Status, Reason string
		Total              struct{ Amount, Currency string }
	}
	unique := time.Now().UnixNano()
	if err := c.post(ctx, "/v1/users", map[string]any{"name": "Ada", "email": fmt.Sprintf("ada-%d@example.com", unique)}, &user); err != nil {
		return err
	}
	price := map[string]string{"amount": "12.50", "currency": "EUR"}
	if err := c.post(ctx, "/v1/products", map[string]any{"sku": fmt.Sprintf("tea-%d", unique), "name": "Tea", "price": price}, &product); err != nil {
		return err
	}
	if err := c.send(ctx, http.MethodPut, "/v1/stock/"+product.ID, map[string]any{"onHand": 10}, http.StatusOK, &struct{}{}); err != nil {
		return err
	}
	items := []any{map[string]any{"productId": product.ID, "quantity": 2}}
	if err := c.post(ctx, "/v1/orders", map[string]any{"customerId": user.ID, "items": items}, &order); err != nil {
		return err
	}
	fmt.Printf("\nA customer, a product and an order were created through the gateway in %s: order %s over %s %s.\n",
		time.Since(began).Round(time.Millisecond), order.ID, order.Total.Amount, order.Total.Currency)
	began = time.Now()
	for ticker := time.NewTicker(50 * time.Millisecond); order.Status == "confirmed"; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the order is neither completed nor cancelled: %w: see the logs of orders, inventory and payments: scaffold cluster logs", ctx.Err())
		case <-ticker.C:
		}
		if err := c.send(ctx, http.MethodGet, "/v1/orders/"+order.ID, nil, http.StatusOK, &order); err != nil {
			return err
		}
	}
	if order.Status != "completed" {
		return fmt.Errorf("the order is %s: %s", order.Status, order.Reason)
	}
	fmt.Printf("Its stock was reserved, it was paid, and it was completed by events, %s later.\n", time.Since(began).Round(time.Millisecond))
	return nil
}

// customer sends requests to the gateway.
type customer struct {
	browser     *http.Client
	base, token string
}

func (c *customer) post(ctx context.Context, path string, body, answer any) error {
	return c.send(ctx, http.MethodPost, path, body, http.StatusCreated, answer)
}

func (c *customer) send(ctx context.Context, method, path string, body any, status int, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.browser.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode != status {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
