package strangler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
)

// Monolith is what is asked of the monolith.
type Monolith interface {
	MonolithGetProductWithResponse(ctx context.Context, id string, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.MonolithGetProductResponse, error)
	MonolithListProductsWithResponse(ctx context.Context, params *legacyapi.MonolithListProductsParams, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.MonolithListProductsResponse, error)
	MonolithGetSupplierWithResponse(ctx context.Context, id string, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.MonolithGetSupplierResponse, error)
	MonolithListSuppliersWithResponse(ctx context.Context, params *legacyapi.MonolithListSuppliersParams, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.MonolithListSuppliersResponse, error)
}

const (
	service = "legacy"
	// defaultLimit is the size of a page when the request names none.
	defaultLimit = 50
	// askedAtOnce is how many products are asked for at a time: the monolith gives them by one.
	askedAtOnce = 8
)

// old is the monolith, in the form of the services that take over.
type old struct {
	monolith Monolith
}

// errAbsent is a product that the monolith does not have.
var errAbsent = problem.NotFound("product_not_found", "There is no such product.")

func (o old) product(ctx context.Context, id string) (catalogapi.Product, error) {
	answer, err := o.monolith.MonolithGetProductWithResponse(httpclient.WithOperation(ctx, "monolithGetProduct"), id)
	switch {
	case err != nil:
		return catalogapi.Product{}, proxy.Failed(service, err)
	case answer.ApplicationProblemJSON404 != nil:
		return catalogapi.Product{}, errAbsent
	case answer.JSON200 == nil || answer.JSON200.ProductID == "":
		return catalogapi.Product{}, unusable(answer.HTTPResponse)
	}
	return translated(*answer.JSON200)
}

func unusable(answer *http.Response) error {
	return proxy.Unusable(service, answer.StatusCode, answer.Header, fmt.Errorf("the monolith answered %d", answer.StatusCode))
}

// products gives a page, or the products of some ids in the order of the ids. The cursor is the last id of the page before, as the
// catalog's is, so that a client may go on with either.
func (o old) products(ctx context.Context, params api.ListProductsParams) (catalogapi.ProductPage, error) {
	if params.Ids != nil {
		return o.chosen(ctx, *params.Ids)
	}
	limit, after := defaultLimit, ""
	if params.Limit != nil {
		limit = *params.Limit
	}
	if params.After != nil {
		after = *params.After
	}
	found, more, err := o.behind(ctx, after, limit)
	if err != nil {
		return catalogapi.ProductPage{}, err
	}
	page := catalogapi.ProductPage{Items: []catalogapi.Product{}}
	for _, one := range found {
		product, err := translated(one)
		if err != nil {
			return catalogapi.ProductPage{}, err
		}
		page.Items = append(page.Items, product)
	}
	if more && len(page.Items) > 0 {
		page.Next = &page.Items[len(page.Items)-1].ID
	}
	return page, nil
}

// chosen asks for products by their ids. Those that there are not are left out.
func (o old) chosen(ctx context.Context, ids []string) (catalogapi.ProductPage, error) {
	found := make([]*catalogapi.Product, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	asked := map[string]bool{}
	for i, id := range ids {
		if asked[id] {
			continue
		}
		asked[id] = true
		group.Go(func() error {
			product, err := o.product(ctx, id)
			switch {
			case errors.Is(err, errAbsent):
				return nil
			case err == nil:
				found[i] = &product
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return catalogapi.ProductPage{}, err
	}
	page := catalogapi.ProductPage{Items: []catalogapi.Product{}}
	for _, product := range found {
		if product != nil {
			page.Items = append(page.Items, *product)
		}
	}
	return page, nil
}

// translated is a product in the catalog's form.
func translated(p legacyapi.OldProduct) (catalogapi.Product, error) {
	price, err := decimal(p.PriceCents, p.CurrencyCode)
	if err != nil {
		return catalogapi.Product{}, proxy.Unusable(service, http.StatusOK, nil, fmt.Errorf("the price of product %s: %w", p.ProductID, err))
	}
	product := catalogapi.Product{
		ID: p.ProductID, Sku: p.ProductCode, Name: p.Title, Price: catalogapi.Money{Amount: price.Amount(), Currency: price.Currency()}, Version: 1,
	}
	if p.LongText != nil {
		product.Description = *p.LongText
	}
	if p.Revision != nil {
		product.Version = *p.Revision
	}
	product.CreatedAt, product.UpdatedAt = timeOf(p.EnteredAt), timeOf(p.ChangedAt)
	return product, nil
}

func timeOf(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// decimal is a number of the currency's smallest unit as an amount: 1999 EUR is 19.99, 1999 JPY is 1999. The point is put between the
// digits; nothing is divided.
func decimal(units int64, currency string) (money.Money, error) {
	text := strconv.FormatInt(units, 10)
	if digits := money.Digits(currency); digits > 0 && units >= 0 {
		text = strings.Repeat("0", max(0, digits+1-len(text))) + text
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return money.New(text, currency)
}

// supplier is a supplier as our contracts would have it.
type supplier struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	City string `json:"city"`
}

type supplierPage struct {
	Items []supplier `json:"items"`
}

func (o old) supplier(ctx context.Context, id string) (supplier, error) {
	answer, err := o.monolith.MonolithGetSupplierWithResponse(httpclient.WithOperation(ctx, "monolithGetSupplier"), id)
	switch {
	case err != nil:
		return supplier{}, proxy.Failed(service, err)
	case answer.ApplicationProblemJSON404 != nil:
		return supplier{}, problem.NotFound("supplier_not_found", "There is no such supplier.")
	case answer.JSON200 == nil || answer.JSON200.SupplierID == "":
		return supplier{}, unusable(answer.HTTPResponse)
	}
	return supplierOf(*answer.JSON200), nil
}

func (o old) suppliers(ctx context.Context, limit *int) (supplierPage, error) {
	answer, err := o.monolith.MonolithListSuppliersWithResponse(httpclient.WithOperation(ctx, "monolithListSuppliers"),
		&legacyapi.MonolithListSuppliersParams{PerPage: limit})
	switch {
	case err != nil:
		return supplierPage{}, proxy.Failed(service, err)
	case answer.JSON200 == nil || answer.JSON200.Suppliers == nil:
		return supplierPage{}, unusable(answer.HTTPResponse)
	}
	page := supplierPage{Items: []supplier{}}
	for _, s := range answer.JSON200.Suppliers {
		page.Items = append(page.Items, supplierOf(s))
	}
	return page, nil
}

func supplierOf(s legacyapi.Supplier) supplier {
	return supplier{ID: s.SupplierID, Name: s.CompanyName, City: s.City}
}
