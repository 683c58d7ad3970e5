package app

import (
	"context"
	"slices"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
)

// shown is how many orders, and how many payments, a page shows when nobody says.
const shown = 50

// Dashboard is what a customer sees first.
type Dashboard struct {
	User      *domain.Customer // nil when it is missing
	Orders    []domain.Order
	Payments  []domain.Payment
	Analytics *domain.Analytics // nil when the orders are missing
	Missing   []string
}

// Dashboard composes the dashboard of a customer.
func (p *Pages) Dashboard(ctx context.Context, customerID string) (Dashboard, error) {
	var d Dashboard
	named := true
	missing, err := compose.All(ctx,
		compose.Part{Name: user, Get: func(ctx context.Context) error {
			found, err := p.shop.Customer(ctx, customerID)
			if err == nil {
				d.User = &found
			}
			return err
		}},
		compose.Part{Name: orders, Get: func(ctx context.Context) (err error) {
			if d.Orders, err = p.shop.Orders(ctx, customerID, shown); err == nil {
				named = p.nameItems(ctx, d.Orders...)
			}
			return err
		}},
		compose.Part{Name: payments, Get: func(ctx context.Context) (err error) {
			d.Payments, err = p.shop.Payments(ctx, customerID, shown)
			return err
		}},
	)
	if err != nil {
		return Dashboard{}, err
	}
	d.Missing = missing
	if !named {
		d.Missing = append(d.Missing, products)
	}
	if !slices.Contains(missing, orders) {
		sums, err := domain.Analyse(d.Orders)
		if err != nil {
			d.Missing = append(d.Missing, analytics)
			return d, nil //nolint:nilerr // the answer says so
		}
		d.Analytics = &sums
	}
	return d, nil
}
