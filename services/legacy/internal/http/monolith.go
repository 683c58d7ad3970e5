package http

import (
	"errors"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/monolith"
)

// The page that is given when the request names none.
const (
	defaultPage    = 1
	defaultPerPage = 50
)

func pageOf(page, perPage *int) (number, size int) {
	number, size = defaultPage, defaultPerPage
	if page != nil {
		number = *page
	}
	if perPage != nil {
		size = *perPage
	}
	return number, size
}

// oldProduct shows a product as the contract has it.
func oldProduct(p monolith.Product) api.OldProduct {
	shown := api.OldProduct{
		ProductID: p.ID, ProductCode: p.Code, Title: p.Title, PriceCents: p.PriceCents, CurrencyCode: p.Currency,
		Revision: &p.Revision, EnteredAt: &p.EnteredAt, ChangedAt: &p.ChangedAt,
	}
	if p.LongText != "" {
		shown.LongText = &p.LongText
	}
	return shown
}

func supplier(s monolith.Supplier) api.Supplier {
	return api.Supplier{SupplierID: s.ID, CompanyName: s.Company, City: s.City}
}

// absent is what a client is told about an error of the monolith's store.
func absent(err error, code, detail string) error {
	if errors.Is(err, monolith.ErrNotFound) {
		return problem.NotFound(code, detail)
	}
	return err
}
