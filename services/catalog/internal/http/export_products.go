package http

import (
	"context"
	"encoding/csv"
	"net/http"

	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/imports"
	"github.com/trellis-mesh/trellis/services/catalog/internal/sheet"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// exportPage is how many products are in memory at a time.
const exportPage = 500

// ExportProducts gives all products as CSV, each as it is when its turn comes.
func (h *Handler) ExportProducts(ctx context.Context, _ api.ExportProductsRequestObject) (api.ExportProductsResponseObject, error) {
	first, err := h.Store.List(ctx, "", exportPage) // while there can be another answer
	if err != nil {
		return nil, err
	}
	return export{first: first, more: func(after string) ([]store.Product, error) { return h.Store.List(ctx, after, exportPage) }}, nil
}

// export is an answer that is written as it is read.
type export struct {
	first []store.Product
	more  func(after string) ([]store.Product, error)
}

// VisitExportProductsResponse implements the answer of exportProducts. When it cannot be finished, the connection is cut: an answer
// that merely ended would be taken for all products.
func (e export) VisitExportProductsResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="products.csv"`)
	w.WriteHeader(http.StatusOK)
	rows := csv.NewWriter(w)
	if rows.Write(imports.Columns) != nil {
		panic(http.ErrAbortHandler)
	}
	for products := e.first; len(products) > 0; {
		for _, p := range products {
			row := []string{sheet.Guard(p.SKU), sheet.Guard(p.Name), sheet.Guard(p.Description), p.Price.Amount, p.Price.Currency}
			if rows.Write(row) != nil {
				panic(http.ErrAbortHandler)
			}
		}
		if len(products) < exportPage {
			break
		}
		next, err := e.more(products[len(products)-1].ID)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		products = next
	}
	if rows.Flush(); rows.Error() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
