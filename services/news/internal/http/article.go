package http

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/domain"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
)

// present shows an article as the contract has it.
func present(article domain.Article) api.Article {
	shown := api.Article{
		ID: article.ID, Source: article.Source, Title: article.Title, Link: article.Link, PublishedAt: article.PublishedAt,
	}
	if article.Summary != "" {
		shown.Summary = &article.Summary
	}
	return shown
}

// cursor names the place after an article. Clients keep it and give it back; what it says is not theirs to know.
func cursor(last domain.Article) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.PublishedAt.UnixMicro(), 10) + " " + last.ID))
}

var errCursor = problem.BadRequest("cursor_invalid", "The cursor is none that this list gave.")

func placeOf(cursor string) (*store.Place, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, errCursor
	}
	moment, id, found := strings.Cut(string(raw), " ")
	micros, err := strconv.ParseInt(moment, 10, 64)
	at := time.UnixMicro(micros).UTC()
	if err != nil || !found || len(id) != len(domain.ID("", "")) || strings.Trim(id, "0123456789abcdef") != "" || at.Year() < 1970 || at.Year() > 9999 {
		return nil, errCursor // a database is given nothing that no article can have
	}
	return &store.Place{PublishedAt: at, ID: id}, nil
}
