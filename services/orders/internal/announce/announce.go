// Package announce makes, of what an order has recorded, the events that tell others.
package announce

import (
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Events are what others are told of what happened to an order, which is as given after it. Nobody is told of a draft, nor of an
// attempt to pay that came to nothing.
func Events(order domain.Snapshot, happened []domain.Event) (told []event.Event, err error) {
	for _, h := range happened {
		var e event.Event
		switch h.(type) {
		case domain.OrderConfirmed:
			e, err = created(order)
		case domain.OrderCompleted:
			e, err = completed(order)
		case domain.OrderCancelled:
			e, err = cancelled(order)
		case domain.OrderPaid:
			e, err = paid(order)
		case domain.OrderDrafted, domain.ItemAdded, domain.ItemRemoved, domain.PaymentSet, domain.PaymentCleared, domain.ShippingSet,
			domain.PaymentBegun, domain.PaymentGivenUp:
			continue
		default:
			return nil, fmt.Errorf("nobody has said who is told of %T", h)
		}
		if err != nil {
			return nil, err
		}
		told = append(told, e)
	}
	return told, nil
}

// created tells that an order was placed. Who owns the stock acts on it, if the fulfilment is left to events.
func created(order domain.Snapshot) (event.Event, error) {
	fulfilment := string(order.Fulfilment)
	payload := api.OrderCreatedV1{
		ID: order.ID, CustomerID: order.Customer.ID, CreatedAt: order.ConfirmedAt, Total: api.OrderCreatedV1Total(amount(order.Total)),
		PaymentMethod: &order.Payment.Method, Fulfilment: &fulfilment,
	}
	for _, item := range order.Items {
		payload.Items = append(payload.Items, api.OrderCreatedV1ItemsItem{
			ProductID: item.ProductID, Quantity: int64(item.Quantity), UnitPrice: api.OrderCreatedV1ItemsItemUnitPrice(amount(item.UnitPrice)),
		})
	}
	return event.New(api.OrderCreatedV1Type, order.ID, payload)
}

// completed tells that an order is paid and its stock is there.
func completed(order domain.Snapshot) (event.Event, error) {
	payload := api.OrderCompletedV1{
		ID: order.ID, CustomerID: order.Customer.ID, CompletedAt: order.SettledAt, Total: api.OrderCompletedV1Total(amount(order.Total)),
	}
	if address := order.Shipping.Address; address != "" {
		payload.ShippingAddress = &address
	}
	for _, item := range order.Items {
		payload.Items = append(payload.Items, api.OrderCompletedV1ItemsItem{ProductID: item.ProductID, Quantity: int64(item.Quantity)})
	}
	return event.New(api.OrderCompletedV1Type, order.ID, payload)
}

// cancelled tells that an order will not be fulfilled. Whoever has reserved or charged for it gives it back.
func cancelled(order domain.Snapshot) (event.Event, error) {
	return event.New(api.OrderCancelledV1Type, order.ID, api.OrderCancelledV1{
		ID: order.ID, CustomerID: order.Customer.ID, CancelledAt: order.SettledAt, Reason: order.Reason, Total: api.OrderCancelledV1Total(amount(order.Total)),
	})
}

// paid tells that the invoice of an order was paid.
func paid(order domain.Snapshot) (event.Event, error) {
	return event.New(api.OrderPaidV1Type, order.ID, api.OrderPaidV1{
		ID: order.ID, CustomerID: order.Customer.ID, PaidAt: order.PaidAt, PaymentMethod: order.Payment.Method, Total: api.OrderPaidV1Total(amount(order.Total)),
	})
}

func amount(m money.Money) api.Money { return api.Money{Amount: m.Amount(), Currency: m.Currency()} }
