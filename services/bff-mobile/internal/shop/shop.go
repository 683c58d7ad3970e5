// Package shop asks the services of the shop, over HTTP, in the terms of small screens.
package shop

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/http"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
)

// Shop is the services of the shop.
type Shop struct{ clients http.Clients }

var _ app.Shop = (*Shop)(nil)

// New makes a shop of the clients of its services.
func New(clients http.Clients) *Shop { return &Shop{clients} }

// User asks users.
func (s *Shop) User(ctx context.Context, id string) (app.User, error) {
	answer, err := s.clients.Users.GetUserWithResponse(ctx, id)
	if err != nil {
		return app.User{}, compose.Failed("users", err)
	}
	if answer.JSON200 == nil {
		return app.User{}, compose.Refused("users", answer.StatusCode(), answer.Body)
	}
	found := app.User{Name: answer.JSON200.Name}
	if answer.JSON200.Avatar != nil {
		found.Avatar = *answer.JSON200.Avatar
	}
	return found, nil
}

// Orders asks orders for the latest ones of a customer.
func (s *Shop) Orders(ctx context.Context, customerID string, limit int) ([]app.Order, error) {
	answer, err := s.clients.Orders.ListOrdersWithResponse(ctx, &ordersapi.ListOrdersParams{CustomerID: customerID, Limit: &limit})
	if err != nil {
		return nil, compose.Failed("orders", err)
	}
	if answer.JSON200 == nil {
		return nil, compose.Refused("orders", answer.StatusCode(), answer.Body)
	}
	listed := answer.JSON200.Items[:min(limit, len(answer.JSON200.Items))] // and no more, however many there are
	all := make([]app.Order, len(listed))
	for i, order := range listed {
		total, err := money.New(order.Total.Amount, order.Total.Currency)
		if err != nil {
			return nil, problem.BadGateway("dependency_failed", "The service orders gave no usable amount.").WithCause(fmt.Errorf("read an amount of orders: %w", err))
		}
		all[i] = app.Order{ID: order.ID, Status: string(order.Status), Total: total, CreatedAt: order.CreatedAt}
	}
	return all, nil
}
