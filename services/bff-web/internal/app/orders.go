package app

import (
	"context"
	"errors"
	"net/http"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
)

// OrderDetails is an order with whose it is and what is in it.
type OrderDetails struct {
	Order    domain.Order
	Customer *domain.Customer // nil when it is missing, or there is none any more
	Missing  []string
}

// OrderDetails composes the page of an order. Without the order there is no page; customer and products depend on it, not on each other.
func (p *Pages) OrderDetails(ctx context.Context, id string) (OrderDetails, error) {
	order, err := p.shop.Order(ctx, id)
	if err != nil {
		return OrderDetails{}, err
	}
	d := OrderDetails{Order: order}
	named := true
	d.Missing, err = compose.All(ctx,
		compose.Part{Name: customer, Get: func(ctx context.Context) error {
			found, err := p.shop.Customer(ctx, order.CustomerID)
			if gone(err) { // whoever made the order need not be there for ever
				return nil
			}
			if err == nil {
				d.Customer = &found
			}
			return err
		}},
		compose.Part{Name: products, Get: func(ctx context.Context) error {
			named = p.nameItems(ctx, order)
			return nil
		}},
	)
	if err != nil {
		return OrderDetails{}, err
	}
	if !named {
		d.Missing = append(d.Missing, products)
	}
	return d, nil
}

// gone reports whether a callee says that there is no such thing.
func gone(err error) bool {
	var p *problem.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// UserOrders are the orders of a customer with a summary.
type UserOrders struct {
	Customer *domain.Customer // nil when it is missing
	Orders   []domain.Order
	Summary  domain.Analytics
	Missing  []string
}

// UserOrders composes the orders of a customer, at most limit of them.
func (p *Pages) UserOrders(ctx context.Context, customerID string, limit int) (UserOrders, error) {
	var u UserOrders
	named := true
	var err error
	u.Missing, err = compose.All(ctx,
		compose.Part{Name: customer, Get: func(ctx context.Context) error {
			found, err := p.shop.Customer(ctx, customerID)
			if err == nil {
				u.Customer = &found
			}
			return err
		}},
		compose.Part{Name: orders, Required: true, Get: func(ctx context.Context) (err error) {
			if u.Orders, err = p.shop.Orders(ctx, customerID, limit); err != nil {
				return err
			}
			if u.Summary, err = domain.Analyse(u.Orders); err == nil {
				named = p.nameItems(ctx, u.Orders...)
			}
			return err
		}},
	)
	if err != nil {
		return UserOrders{}, err
	}
	if !named {
		u.Missing = append(u.Missing, products)
	}
	return u, nil
}
