package strangler

import (
	"context"
	"sort"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
)

// behind gives at most limit products whose ids are greater than after, in the order of their ids, and whether there are more.
//
// The monolith counts pages, and a client of ours has a cursor. As its pages are in the order of the ids, the one that goes on
// behind the cursor is found by halving: a thousand products in pages of fifty take five questions.
func (o old) behind(ctx context.Context, after string, limit int) (found []legacyapi.OldProduct, more bool, err error) {
	first, err := o.page(ctx, 1, limit)
	if err != nil {
		return nil, false, err
	}
	if after == "" {
		return first.Products, first.Total > len(first.Products), nil
	}
	pages := map[int]*legacyapi.OldProductPage{1: first}
	load := func(number int) *legacyapi.OldProductPage {
		if page := pages[number]; page != nil || err != nil {
			return page
		}
		var page *legacyapi.OldProductPage
		if page, err = o.page(ctx, number, limit); err == nil {
			pages[number] = page
		}
		return page
	}
	count := (first.Total + limit - 1) / limit
	number := 1 + sort.Search(count, func(i int) bool {
		page := load(i + 1)
		return page == nil || len(page.Products) == 0 || page.Products[len(page.Products)-1].ProductID > after
	})
	seen := (number - 1) * limit // products before the first one that is found
	for ; len(found) < limit && number <= count && err == nil; number++ {
		page := load(number)
		if page == nil {
			break
		}
		for _, product := range page.Products {
			switch {
			case product.ProductID <= after:
				seen++
			case len(found) < limit:
				found = append(found, product)
			}
		}
	}
	return found, seen+len(found) < first.Total, err
}

func (o old) page(ctx context.Context, number, size int) (*legacyapi.OldProductPage, error) {
	answer, err := o.monolith.MonolithListProductsWithResponse(httpclient.WithOperation(ctx, "monolithListProducts"),
		&legacyapi.MonolithListProductsParams{Page: &number, PerPage: &size})
	switch {
	case err != nil:
		return nil, proxy.Failed(service, err)
	case answer.JSON200 == nil || answer.JSON200.Products == nil:
		return nil, unusable(answer.HTTPResponse)
	}
	return answer.JSON200, nil
}
