package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/news/internal/domain"
)

// Source is a feed with a name.
type Source struct {
	name  string
	fetch func(context.Context) (status int, body []byte, err error)
}

// Name is what articles say where they are from.
func (s Source) Name() string { return s.name }

// Articles asks the source. An error is a *domain.Fault.
func (s Source) Articles(ctx context.Context, at time.Time) ([]domain.Article, error) {
	status, body, err := s.fetch(ctx)
	switch {
	case errors.Is(err, httpclient.ErrTooLarge):
		return nil, errLarge
	case err != nil:
		return nil, &domain.Fault{Reason: "the source does not answer", Err: err}
	case status != http.StatusOK:
		return nil, &domain.Fault{Reason: fmt.Sprintf("the source answered with status %d", status)}
	}
	return Parse(s.name, body, at)
}

// Legacy is what the sources need of the legacy service.
type Legacy interface {
	GetFeedWithResponse(ctx context.Context, name legacyapi.GetFeedParamsName, edit ...legacyapi.RequestEditorFn) (*legacyapi.GetFeedResponse, error)
}

// OfLegacy are the feeds of the legacy service.
func OfLegacy(client Legacy) []Source {
	var all []Source
	for _, name := range []legacyapi.GetFeedParamsName{legacyapi.Shop, legacyapi.Trade, legacyapi.City} {
		all = append(all, Source{name: string(name), fetch: func(ctx context.Context) (int, []byte, error) {
			answer, err := client.GetFeedWithResponse(ctx, name)
			if err != nil {
				return 0, nil, err
			}
			return answer.StatusCode(), answer.Body, nil
		}})
	}
	return all
}

// At is a feed at an address. The client must bound answers by MaxSize, and follows no redirects: whom the service reaches is what it
// declares.
func At(name, address string, client *httpclient.Client) Source {
	return Source{name: name, fetch: func(ctx context.Context) (int, []byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, nil, err
		}
		r.Header.Set("Accept", "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8")
		answer, err := client.HTTP.Do(r)
		if err != nil {
			return 0, nil, err
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode, body, err
	}}
}
