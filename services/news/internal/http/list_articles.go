package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/news/api"
)

// ListArticles is to be written: GET /v1/articles.
func (h *Handler) ListArticles(_ context.Context, _ api.ListArticlesRequestObject) (api.ListArticlesResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listArticles is not written yet.")
}
