// Package app composes what small screens show from what the services of the shop know.
package app

import (
	"context"
	"time"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/contracts/money"
)

// Latest is how many orders a small screen has room for.
const Latest = 5

// User is whose dashboard it is.
type User struct {
	Name   string
	Avatar string // where the picture is; empty for none
}

// Order is an order as a small screen shows it: without what is in it.
type Order struct {
	ID        string
	Status    string
	Total     money.Money
	CreatedAt time.Time
}

// Shop is what the services of the shop know. An error that is a problem of 401, 403 or 404 is their word about the request; any other
// says that they could not be asked.
type Shop interface {
	User(ctx context.Context, id string) (User, error)
	// Orders gives the latest of a customer, the latest first.
	Orders(ctx context.Context, customerID string, limit int) ([]Order, error)
}

// Screens composes screens.
type Screens struct{ shop Shop }

// New makes screens of what a shop knows.
func New(shop Shop) *Screens { return &Screens{shop: shop} }

// Dashboard is what a customer sees first.
type Dashboard struct {
	User    *User // nil when it is missing
	Orders  []Order
	Missing []string
}

// Dashboard composes the dashboard of a customer.
func (s *Screens) Dashboard(ctx context.Context, customerID string) (Dashboard, error) {
	var d Dashboard
	missing, err := compose.All(ctx,
		compose.Part{Name: "user", Get: func(ctx context.Context) error {
			found, err := s.shop.User(ctx, customerID)
			if err == nil {
				d.User = &found
			}
			return err
		}},
		compose.Part{Name: "orders", Get: func(ctx context.Context) (err error) {
			d.Orders, err = s.shop.Orders(ctx, customerID, Latest)
			return err
		}},
	)
	if err != nil {
		return Dashboard{}, err
	}
	d.Missing = missing
	return d, nil
}
