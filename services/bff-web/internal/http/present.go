package http

import (
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
)

// presentDashboard shows a dashboard as the contract has it.
func presentDashboard(d app.Dashboard) api.Dashboard {
	out := api.Dashboard{
		User: presentUser(d.User), Orders: presentOrders(d.Orders), Payments: make([]api.Payment, len(d.Payments)), Degraded: presentMissing(d.Missing),
	}
	for i, p := range d.Payments {
		out.Payments[i] = api.Payment{OrderID: p.OrderID, Status: p.Status, Amount: presentAmount(p.Amount)}
	}
	if a := d.Analytics; a != nil {
		out.Analytics = &api.Analytics{OrderCount: a.Orders, TotalSpent: presentAmounts(a.Spent), AverageOrderValue: presentAmounts(a.Average)}
	}
	return out
}

func presentUser(c *domain.Customer) *api.User {
	if c == nil {
		return nil
	}
	return &api.User{ID: c.ID, Name: c.Name, Email: c.Email, Avatar: given(c.Avatar)}
}

func presentOrders(orders []domain.Order) []api.Order {
	out := make([]api.Order, len(orders))
	for i, order := range orders {
		out[i] = presentOrder(order)
	}
	return out
}

func presentOrder(o domain.Order) api.Order {
	out := api.Order{ID: o.ID, Status: o.Status, Total: presentAmount(o.Total), CreatedAt: o.CreatedAt, Items: make([]api.Item, len(o.Items))}
	for i, item := range o.Items {
		out.Items[i] = api.Item{
			ProductID: item.ProductID, Sku: given(item.SKU), Name: item.Name, Quantity: item.Quantity,
			UnitPrice: presentAmount(item.UnitPrice), Subtotal: presentAmount(item.Subtotal), Degraded: given(item.Degraded),
		}
	}
	return out
}

func presentAmounts(all []money.Money) []api.Money {
	out := make([]api.Money, len(all))
	for i, m := range all {
		out[i] = presentAmount(m)
	}
	return out
}

func presentAmount(m money.Money) api.Money {
	return api.Money{Amount: m.Amount(), Currency: m.Currency()}
}

func presentMissing(names []string) *[]string {
	if len(names) == 0 {
		return nil
	}
	return &names
}

// given is a value that the contract leaves out when there is none.
func given[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}
