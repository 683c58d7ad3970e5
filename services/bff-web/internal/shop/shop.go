// Package shop asks the services of the shop, over HTTP, in the terms of the web's pages.
package shop

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/http"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
)

// Shop is the services of the shop.
type Shop struct{ clients http.Clients }

var _ app.Shop = (*Shop)(nil)

// New makes a shop of the clients of its services.
func New(clients http.Clients) *Shop { return &Shop{clients} }

// Customer asks users.
func (s *Shop) Customer(ctx context.Context, id string) (domain.Customer, error) {
	answer, err := s.clients.Users.GetUserWithResponse(ctx, id)
	if err != nil {
		return domain.Customer{}, compose.Failed("users", err)
	}
	if answer.JSON200 == nil {
		return domain.Customer{}, compose.Refused("users", answer.StatusCode(), answer.Body)
	}
	found := domain.Customer{ID: answer.JSON200.ID, Name: answer.JSON200.Name, Email: answer.JSON200.Email}
	if answer.JSON200.Avatar != nil {
		found.Avatar = *answer.JSON200.Avatar
	}
	return found, nil
}

// Orders asks orders for the latest ones of a customer.
func (s *Shop) Orders(ctx context.Context, customerID string, limit int) ([]domain.Order, error) {
	answer, err := s.clients.Orders.ListOrdersWithResponse(ctx, &ordersapi.ListOrdersParams{CustomerID: customerID, Limit: &limit})
	if err != nil {
		return nil, compose.Failed("orders", err)
	}
	if answer.JSON200 == nil {
		return nil, compose.Refused("orders", answer.StatusCode(), answer.Body)
	}
	all := make([]domain.Order, len(answer.JSON200.Items))
	for i, listed := range answer.JSON200.Items {
		if all[i], err = order(listed); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Order asks orders for one of them.
func (s *Shop) Order(ctx context.Context, id string) (domain.Order, error) {
	answer, err := s.clients.Orders.GetOrderWithResponse(ctx, id)
	if err != nil {
		return domain.Order{}, compose.Failed("orders", err)
	}
	if answer.JSON200 == nil {
		return domain.Order{}, compose.Refused("orders", answer.StatusCode(), answer.Body)
	}
	return order(*answer.JSON200)
}

func order(o ordersapi.Order) (domain.Order, error) {
	total, err := amount("orders", o.Total.Amount, o.Total.Currency)
	if err != nil {
		return domain.Order{}, err
	}
	out := domain.Order{
		ID: o.ID, CustomerID: o.Customer.ID, Status: string(o.Status), Total: total, CreatedAt: o.CreatedAt, Items: make([]domain.Item, len(o.Items)),
	}
	for i, item := range o.Items {
		price, err := amount("orders", item.UnitPrice.Amount, item.UnitPrice.Currency)
		if err != nil {
			return domain.Order{}, err
		}
		subtotal, err := amount("orders", item.Subtotal.Amount, item.Subtotal.Currency)
		if err != nil {
			return domain.Order{}, err
		}
		out.Items[i] = domain.Item{ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity, UnitPrice: price, Subtotal: subtotal}
	}
	return out, nil
}

// Payments asks payments for the latest ones of a customer.
func (s *Shop) Payments(ctx context.Context, customerID string, limit int) ([]domain.Payment, error) {
	answer, err := s.clients.Payments.ListPaymentsWithResponse(ctx, &paymentsapi.ListPaymentsParams{CustomerID: customerID, Limit: &limit})
	if err != nil {
		return nil, compose.Failed("payments", err)
	}
	if answer.JSON200 == nil {
		return nil, compose.Refused("payments", answer.StatusCode(), answer.Body)
	}
	all := make([]domain.Payment, len(answer.JSON200.Items))
	for i, paid := range answer.JSON200.Items {
		sum, err := amount("payments", paid.Amount.Amount, paid.Amount.Currency)
		if err != nil {
			return nil, err
		}
		all[i] = domain.Payment{OrderID: paid.OrderID, Status: string(paid.Status), Amount: sum}
	}
	return all, nil
}

// Products asks catalog for many products with one call.
func (s *Shop) Products(ctx context.Context, ids []string) ([]domain.Product, error) {
	limit := app.ProductsAtOnce // the page's size is less when nobody says
	answer, err := s.clients.Catalog.ListProductsWithResponse(ctx, &catalogapi.ListProductsParams{Ids: &ids, Limit: &limit})
	if err != nil {
		return nil, compose.Failed("catalog", err)
	}
	if answer.JSON200 == nil {
		return nil, compose.Refused("catalog", answer.StatusCode(), answer.Body)
	}
	all := make([]domain.Product, len(answer.JSON200.Items))
	for i, product := range answer.JSON200.Items {
		all[i] = domain.Product{ID: product.ID, SKU: product.Sku, Name: product.Name}
	}
	return all, nil
}

// amount reads an amount of a callee.
func amount(callee, amount, currency string) (money.Money, error) {
	m, err := money.New(amount, currency)
	if err != nil {
		return money.Money{}, problem.BadGateway("dependency_failed", "The service "+callee+" gave no usable amount.").WithCause(fmt.Errorf("read an amount of %s: %w", callee, err))
	}
	return m, nil
}
