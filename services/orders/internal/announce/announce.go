// Package announce makes the events that tell others of an order.
package announce

import (
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Created tells that an order was placed. Who owns the stock acts on it, if the fulfilment is left to events.
func Created(order domain.Order) (event.Event, error) {
	fulfilment := string(order.Fulfilment)
	payload := api.OrderCreatedV1{
		ID: order.ID, CustomerID: order.Customer.ID, CreatedAt: order.CreatedAt, Total: api.OrderCreatedV1Total(amount(order.Total)),
		PaymentMethod: &order.Terms.PaymentMethod, Fulfilment: &fulfilment,
	}
	for _, item := range order.Items {
		payload.Items = append(payload.Items, api.OrderCreatedV1ItemsItem{
			ProductID: item.ProductID, Quantity: int64(item.Quantity), UnitPrice: api.OrderCreatedV1ItemsItemUnitPrice(amount(item.UnitPrice)),
		})
	}
	return event.New(api.OrderCreatedV1Type, order.ID, payload)
}

// Completed tells that an order is paid and its stock is there.
func Completed(order domain.Order) (event.Event, error) {
	payload := api.OrderCompletedV1{
		ID: order.ID, CustomerID: order.Customer.ID, CompletedAt: order.SettledAt, Total: api.OrderCompletedV1Total(amount(order.Total)),
	}
	if address := order.Terms.ShippingAddress; address != "" {
		payload.ShippingAddress = &address
	}
	for _, item := range order.Items {
		payload.Items = append(payload.Items, api.OrderCompletedV1ItemsItem{ProductID: item.ProductID, Quantity: int64(item.Quantity)})
	}
	return event.New(api.OrderCompletedV1Type, order.ID, payload)
}

// Cancelled tells that an order will not be fulfilled. Whoever has reserved or charged for it gives it back.
func Cancelled(order domain.Order) (event.Event, error) {
	return event.New(api.OrderCancelledV1Type, order.ID, api.OrderCancelledV1{
		ID: order.ID, CustomerID: order.Customer.ID, CancelledAt: order.SettledAt, Reason: order.Reason, Total: api.OrderCancelledV1Total(amount(order.Total)),
	})
}

func amount(m money.Money) api.Money { return api.Money{Amount: m.Amount(), Currency: m.Currency()} }
