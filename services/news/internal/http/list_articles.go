package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
)

// defaultLimit is the size of a page when the request names none.
const defaultLimit = 50

// ListArticles gives a page of articles, the latest first.
func (h *Handler) ListArticles(ctx context.Context, request api.ListArticlesRequestObject) (api.ListArticlesResponseObject, error) {
	limit, source := defaultLimit, ""
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	if request.Params.Source != nil {
		source = *request.Params.Source
	}
	var after *store.Place
	if request.Params.After != nil {
		var err error
		if after, err = placeOf(*request.Params.After); err != nil {
			return nil, err
		}
	}
	articles, err := h.news.List(ctx, source, after, limit+1) // one more tells whether there is a next page
	if err != nil {
		return nil, err
	}
	page := api.ListArticles200JSONResponse{Items: []api.Article{}}
	if len(articles) > limit {
		articles = articles[:limit]
		next := cursor(articles[limit-1])
		page.Next = &next
	}
	for _, article := range articles {
		page.Items = append(page.Items, present(article))
	}
	return page, nil
}
