// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// Orders takes orders; *app.Orders says what its methods do.
type Orders interface {
	Create(ctx context.Context, wish app.Wish, also app.Also) error
	Change(ctx context.Context, id string, change func(*domain.Order) error, also app.Also) (domain.Snapshot, error)
	Confirm(ctx context.Context, id string) (domain.Snapshot, error)
	Pay(ctx context.Context, id, method string) (domain.Snapshot, error)
}

// Store has orders and customers. It gives store.ErrNotFound for an id that it does not know.
type Store interface {
	Get(ctx context.Context, id string) (domain.Snapshot, error)
	List(ctx context.Context, customer string, status domain.Status, limit int) ([]domain.Snapshot, error)
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

	newID func() string
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps, newID: newID}
}

// newID gives ids that sort by the time they were made at, which keeps the index of the table compact.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// own refuses a user the order of another: to others it is not there. Whose an order is never changes.
func (h *Handler) own(ctx context.Context, id string) error {
	if _, ok := auth.User(ctx); !ok {
		return nil
	}
	order, err := h.Store.Get(ctx, id)
	if err != nil {
		return refusal(err)
	}
	return owned(ctx, order)
}

func owned(ctx context.Context, order domain.Snapshot) error {
	if err := auth.Own(ctx, order.Customer.ID); err != nil {
		return refusal(errors.Join(store.ErrNotFound, err))
	}
	return nil
}

// change changes an order and shows it.
func (h *Handler) change(ctx context.Context, id string, change func(*domain.Order) error) (api.Order, error) {
	if err := h.own(ctx, id); err != nil {
		return api.Order{}, err
	}
	order, err := h.Orders.Change(ctx, id, change, nil)
	if err != nil {
		return api.Order{}, refusal(err)
	}
	return present(order)
}

// present shows an order as the contract has it.
func present(order domain.Snapshot) (api.Order, error) {
	answer := api.Order{
		ID:         order.ID,
		Customer:   api.Customer(order.Customer),
		Status:     api.OrderStatus(order.Status),
		Items:      make([]api.Item, len(order.Items)),
		Total:      presentMoney(order.Total),
		CreatedAt:  order.CreatedAt,
		Reason:     optional(order.Reason),
		Fulfilment: api.OrderFulfilment(order.Fulfilment),

		PaymentMethod:   optional(order.Payment.Method),
		ShippingAddress: optional(order.Shipping.Address),
	}
	if !order.PaidAt.IsZero() {
		answer.PaidAt = &order.PaidAt
	}
	if order.Bill.Status != domain.Unpaid {
		answer.Bill = &api.Bill{Status: api.BillStatus(order.Bill.Status), PaymentMethod: order.Bill.Method, Reason: optional(order.Bill.Reason)}
	}
	for i, item := range order.Items {
		subtotal, err := item.Subtotal()
		if err != nil {
			return api.Order{}, err
		}
		answer.Items[i] = api.Item{
			ProductID: item.ProductID, Name: item.Name, Quantity: int(item.Quantity),
			UnitPrice: presentMoney(item.UnitPrice), Subtotal: presentMoney(subtotal),
		}
	}
	return answer, nil
}

// noCurrency is the code of ISO 4217 for what is in none: a total of nothing.
const noCurrency = "XXX"

func presentMoney(m money.Money) api.Money {
	if m.Currency() == "" {
		return api.Money{Amount: "0", Currency: noCurrency}
	}
	return api.Money{Amount: m.Amount(), Currency: m.Currency()}
}

// optional is a text, or nothing when it is empty.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
