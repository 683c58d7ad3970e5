// Package http answers the operations of the contract, one file an operation.
package http

import (
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/app"
)

// Handler answers the operations of the contract.
type Handler struct {
	news *app.News
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(news *app.News) *Handler {
	return &Handler{news: news}
}
