package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// GetStock gives the stock of a product.
func (h *Handler) GetStock(ctx context.Context, request api.GetStockRequestObject) (api.GetStockResponseObject, error) {
	stock, err := h.Store.Stock(ctx, request.ProductID)
	if err != nil {
		return nil, err
	}
	return api.GetStock200JSONResponse(presentStock(stock)), nil
}

// presentStock shows stock as the contract has it.
func presentStock(stock domain.Stock) api.Stock {
	return api.Stock{ProductID: stock.ProductID, OnHand: stock.OnHand, Reserved: stock.Reserved, Available: stock.Available()}
}
