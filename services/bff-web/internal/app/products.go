package app

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
)

// lookups is how many calls to catalog one page makes at the same time; all pages together have the declared bulkhead.
const lookups = 4

// nameItems gives the items of orders the names that their products have now, and reports whether catalog has answered for all. An item
// whose product is not found, or not in time, keeps the name that it was ordered under and is marked.
func (p *Pages) nameItems(ctx context.Context, orders ...domain.Order) bool {
	var ids []string
	for _, order := range orders {
		for _, item := range order.Items {
			ids = append(ids, item.ProductID)
		}
	}
	slices.Sort(ids)
	found, complete := p.products(ctx, slices.Compact(ids))
	for _, order := range orders {
		for i := range order.Items {
			item := &order.Items[i]
			item.Degraded = true
			if product, ok := found[item.ProductID]; ok {
				item.Show(product)
			}
		}
	}
	return complete
}

// products looks products up, many with each call, and reports whether every call was answered.
func (p *Pages) products(ctx context.Context, ids []string) (map[string]domain.Product, bool) {
	ctx, cancel := context.WithTimeout(ctx, p.lookup)
	defer cancel()
	found := make(map[string]domain.Product, len(ids))
	var mu sync.Mutex
	var calls errgroup.Group // a call that fails leaves the others alone
	calls.SetLimit(lookups)
	for batch := range slices.Chunk(ids, ProductsAtOnce) {
		calls.Go(func() error {
			answer, err := p.shop.Products(ctx, batch)
			mu.Lock()
			defer mu.Unlock()
			for _, product := range answer {
				found[product.ID] = product
			}
			return err
		})
	}
	return found, calls.Wait() == nil
}
