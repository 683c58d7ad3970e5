package game

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	gatewayapi "github.com/trellis-mesh/trellis/services/gateway/api"
	newsapi "github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/test/market"
)

// person is somebody who shops.
type person struct {
	id       string
	login    *market.Login
	clients  market.Clients
	cards    map[Pay]string // payment methods
	products []string       // ids by number
	planner  *Planner
	orders   *Orders

	last string // the latest order
}

// live visits the shop again and again until leave ends. What is under way then is finished, unless ctx ends, too.
func (p *person) live(ctx context.Context, leave <-chan struct{}) {
	for {
		for _, step := range p.planner.Visit() {
			if !pause(ctx, leave, step.Think) {
				return
			}
			p.do(doing(ctx, step.Do), step)
		}
	}
}

// pause thinks for a while; false when it is time to leave.
func pause(ctx context.Context, leave <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		select {
		case <-leave:
			return false
		default:
			return ctx.Err() == nil
		}
	case <-leave:
		return false
	case <-ctx.Done():
		return false
	}
}

// do takes a step. What goes wrong is counted where the requests are.
func (p *person) do(ctx context.Context, step Step) {
	switch step.Do {
	case LogIn:
		_ = p.login.Again(ctx)
	case Browse:
		limit := 20
		_, _ = p.clients.Gateway.ListProductsWithResponse(ctx, &gatewayapi.ListProductsParams{Limit: &limit})
	case Look:
		_, _ = p.clients.Gateway.GetProductWithResponse(ctx, p.products[step.Products[0]])
	case Dashboard:
		_, _ = p.clients.Gateway.GetDashboardWithResponse(ctx, &gatewayapi.GetDashboardParams{})
	case OnThePhone:
		_, _ = p.clients.Gateway.GetMobileDashboardWithResponse(ctx, &gatewayapi.GetMobileDashboardParams{})
	case Suppliers:
		_, _ = p.clients.Gateway.ListSuppliersWithResponse(ctx, &gatewayapi.ListSuppliersParams{})
	case Read:
		limit := 20
		_, _ = p.clients.News.ListArticlesWithResponse(ctx, &newsapi.ListArticlesParams{Limit: &limit})
	case History:
		_, _ = p.clients.Gateway.ListOrdersWithResponse(ctx, &gatewayapi.ListOrdersParams{CustomerID: p.id})
	case Order:
		p.order(ctx, step)
	case ComeBack:
		if p.last != "" {
			_, _ = p.clients.Gateway.GetOrderWithResponse(ctx, p.last)
		}
	case Details:
		if p.last != "" {
			_, _ = p.clients.Gateway.GetOrderDetailsWithResponse(ctx, p.last)
		}
	}
}

func (p *person) order(ctx context.Context, step Step) {
	var items []any
	for i, product := range step.Products {
		items = append(items, map[string]any{"productId": p.products[product], "quantity": step.Quantities[i]})
	}
	wish := gatewayapi.Resource{"customerId": p.id, "items": items, "paymentMethod": "invoice"}
	if method := p.cards[step.Pay]; method != "" {
		wish["paymentMethod"] = method
	}
	key := uuid.NewString()
	for again := range 3 { // whoever does not know whether it was taken says it again, with the same key
		answer, err := p.clients.Gateway.CreateOrderWithResponse(ctx, &gatewayapi.CreateOrderParams{IdempotencyKey: &key}, wish)
		if err == nil && answer.StatusCode() < 500 {
			var made struct{ ID string }
			if answer.JSON201 != nil && json.Unmarshal(answer.Body, &made) == nil && made.ID != "" {
				p.last = made.ID
				p.orders.add(made.ID)
			}
			return
		}
		if !pause(ctx, nil, time.Duration(again+1)*500*time.Millisecond+rand.N(500*time.Millisecond)) {
			return
		}
	}
}
