package http

import (
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
)

// present shows an article as the contract has it.
func present(article store.Article) api.Article {
	return api.Article{
		ID: article.ID,
	}
}
