// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Orders takes orders.
type Orders interface {
	// Place keeps an order, together with what also writes, which gets it as it is kept, and begins its fulfilment.
	Place(ctx context.Context, order domain.Order, also func(ctx context.Context, tx bun.Tx, placed domain.Order) error) error
}

// Store has orders and customers. It gives store.ErrNotFound for an id that it does not know.
type Store interface {
	Get(ctx context.Context, id string) (domain.Order, error)
	List(ctx context.Context, customer string, limit int) ([]domain.Order, error)
	Customer(ctx context.Context, id string) (domain.Customer, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Orders  Orders
	Store   Store
	Clients Clients
}

// Handler answers the operations of the contract.
type Handler struct {
	Deps

	now   func() time.Time
	newID func() string
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps, now: time.Now, newID: newID}
}

// newID gives ids that sort by the time they were made at, which keeps the index of the table compact.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// present shows an order as the contract has it.
func present(order domain.Order) (api.Order, error) {
	answer := api.Order{
		ID:         order.ID,
		Customer:   api.Customer(order.Customer),
		Status:     api.OrderStatus(order.Status),
		Items:      make([]api.Item, len(order.Items)),
		Total:      presentMoney(order.Total),
		CreatedAt:  order.CreatedAt,
		Reason:     optional(order.Reason),
		Fulfilment: api.OrderFulfilment(order.Fulfilment),

		PaymentMethod:   optional(order.Terms.PaymentMethod),
		ShippingAddress: optional(order.Terms.ShippingAddress),
	}
	for i, item := range order.Items {
		subtotal, err := item.Subtotal()
		if err != nil {
			return api.Order{}, err
		}
		answer.Items[i] = api.Item{
			ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity,
			UnitPrice: presentMoney(item.UnitPrice), Subtotal: presentMoney(subtotal),
		}
	}
	return answer, nil
}

func presentMoney(m money.Money) api.Money {
	return api.Money{Amount: m.Amount(), Currency: m.Currency()}
}

// optional is a text, or nothing when it is empty.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
