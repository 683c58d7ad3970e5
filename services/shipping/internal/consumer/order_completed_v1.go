package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// OrderCompletedV1 confirms the shipment of the order, arranges it if nobody has, and tells of it.
func (c *Consumer) OrderCompletedV1(ctx context.Context, e event.Event) error {
	order, err := event.Decode[api.OrderCompletedV1](e)
	if err != nil {
		return err
	}
	if order.ID == "" {
		return noOrder(e)
	}
	return c.Inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
		shipment, changed, err := c.Store.Handle(ctx, order.ID, domain.Complete, parcelOf(order))
		if err != nil || !changed { // what is confirmed already was told when it was
			return forAPerson(err)
		}
		told, err := event.New(api.ShipmentCreatedV1Type, order.ID, api.ShipmentCreatedV1{
			OrderID: order.ID, ShipmentID: shipment.ID, CustomerID: shipment.Parcel.CustomerID, CreatedAt: shipment.CreatedAt,
		})
		if err != nil {
			return err
		}
		return c.Outbox.Append(ctx, tx, told)
	})
}

func parcelOf(order api.OrderCompletedV1) domain.Parcel {
	parcel := domain.Parcel{CustomerID: order.CustomerID}
	if order.ShippingAddress != nil {
		parcel.Address = *order.ShippingAddress
	}
	for _, item := range order.Items {
		parcel.Lines = append(parcel.Lines, domain.Line{ProductID: item.ProductID, Quantity: int(item.Quantity)})
	}
	return parcel
}
