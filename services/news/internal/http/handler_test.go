package http

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/app"
	"github.com/trellis-mesh/trellis/services/news/internal/feed"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
	"github.com/trellis-mesh/trellis/services/news/migrations"
)

// papers answer as legacy and the web do: a feed for each path.
type papers map[string]http.HandlerFunc

func (p papers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if write := p[r.URL.Path]; write != nil {
		write(w, r)
		return
	}
	http.NotFound(w, r)
}

// paper has articles of these numbers, each a minute younger than the one before.
func paper(name string, numbers ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = io.WriteString(w, `<rss version="2.0"><channel>`)
		for _, n := range numbers {
			_, _ = fmt.Fprintf(w, `<item><guid>%d</guid><title>%s %d</title><link>https://example.com/%d</link><pubDate>%s</pubDate></item>`,
				n, name, n, n, time.Date(2026, 3, 4, 12, n, 0, 0, time.UTC).Format(time.RFC1123Z))
		}
		_, _ = io.WriteString(w, `</channel></rss>`)
	}
}

// hangs until the caller gives up.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// serve is the API as the service has it, contract validation included, before sources over the network.
func serve(t *testing.T, sources papers, opt app.Options, further ...string) http.Handler {
	t.Helper()
	network := httptest.NewServer(sources)
	t.Cleanup(network.Close)
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "news", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	client := func(name string, limit int64) *httpclient.Client {
		client, err := httpclient.New(httpclient.Options{Name: name, URL: network.URL, Attempts: 1, MaxBody: limit, Registerer: tel.Registry, Log: tel.Log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.HTTP.CloseIdleConnections)
		return client
	}
	legacy, err := legacyapi.NewClientWithResponses(network.URL, legacyapi.WithHTTPClient(client("legacy", 0).HTTP))
	if err != nil {
		t.Fatal(err)
	}
	var all []app.Source
	for _, source := range feed.OfLegacy(legacy) {
		all = append(all, source)
	}
	for _, name := range further {
		all = append(all, feed.At(name, network.URL+"/"+name+".xml?lang=en", client("feed-"+name, feed.MaxSize)))
	}
	opt.Log = slog.New(slog.DiscardHandler)
	news, err := app.New(all, store.New(databasetest.New(t, migrations.FS)), opt)
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), New(news))
	return server.Handler()
}

// call sends a request and reads the JSON answer into out, after it has checked the status.
func call(t *testing.T, handler http.Handler, method, target string, status int, out any) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, target, w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
}

// told is what a refresh says of a source, without the time it took.
func told(t *testing.T, handler http.Handler) map[string]string {
	t.Helper()
	var refresh api.Refresh
	call(t, handler, http.MethodPost, "/v1/refreshes", http.StatusOK, &refresh)
	got := map[string]string{}
	for _, s := range refresh.Sources {
		got[s.Source] = fmt.Sprintf("%s %d %d", s.Status, s.Found, s.Added)
		if s.Error != nil {
			got[s.Source] += " " + *s.Error
		}
	}
	return got
}

func TestARefreshTellsWhatEachSourceGave(t *testing.T) {
	sources := papers{
		"/feeds/shop": paper("shop", 1, 2, 3), "/feeds/trade": hangs, "/feeds/city": status(http.StatusInternalServerError),
		"/web.xml": paper("web", 4), "/moved.xml": status(http.StatusMovedPermanently),
		"/large.xml": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<rss>"+strings.Repeat(" ", feed.MaxSize))
		},
		"/page.xml": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html></html>") },
	}
	handler := serve(t, sources, app.Options{Timeout: 200 * time.Millisecond}, "web", "moved", "large", "page")
	want := map[string]string{
		"shop":  "ok 3 3",
		"trade": "timeout 0 0 the source did not answer in time",
		"city":  "failed 0 0 the source answered with status 500",
		"web":   "ok 1 1",
		"moved": "failed 0 0 the source answered with status 301",
		"large": "failed 0 0 the feed is larger than 1 MiB",
		"page":  "failed 0 0 the feed cannot be read",
	}
	if diff := cmp.Diff(want, told(t, handler)); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	want["shop"], want["web"] = "ok 3 0", "ok 1 0"
	if diff := cmp.Diff(want, told(t, handler)); diff != "" {
		t.Errorf("sources, the second time (-want +got):\n%s", diff)
	}
}

func TestPagesGoThroughAllArticles(t *testing.T) {
	handler := serve(t, papers{"/feeds/shop": paper("shop", 1, 3, 5), "/feeds/trade": paper("trade", 2, 4)}, app.Options{})
	told(t, handler)
	var got []string
	target := "/v1/articles?limit=2"
	for range 4 {
		var page api.ArticlePage
		call(t, handler, http.MethodGet, target, http.StatusOK, &page)
		for _, a := range page.Items {
			got = append(got, a.Title)
		}
		if page.Next == nil {
			break
		}
		target = "/v1/articles?limit=2&after=" + *page.Next
	}
	if diff := cmp.Diff([]string{"shop 5", "trade 4", "shop 3", "trade 2", "shop 1"}, got); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
	var page api.ArticlePage
	call(t, handler, http.MethodGet, "/v1/articles?source=trade", http.StatusOK, &page)
	if len(page.Items) != 2 || page.Next != nil || page.Items[0].Source != "trade" {
		t.Errorf("page %+v", page)
	}
	page = api.ArticlePage{}
	call(t, handler, http.MethodGet, "/v1/articles?source=nobody", http.StatusOK, &page)
	if page.Items == nil || len(page.Items) != 0 {
		t.Errorf("page %+v", page)
	}
}

func TestACursorThatTheListDidNotGiveIsRefused(t *testing.T) {
	handler := serve(t, papers{}, app.Options{})
	for _, cursor := range []string{"x", "MSAy", "OTIyMzM3MjAzNjg1NDc3NTgwNyAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA", "!!!"} {
		var problem api.Problem
		call(t, handler, http.MethodGet, "/v1/articles?after="+cursor, http.StatusBadRequest, &problem)
		if problem.Code != "cursor_invalid" {
			t.Errorf("%s: code %s", cursor, problem.Code)
		}
	}
}

func TestASecondRefreshAtTheSameTimeIsRefused(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	handler := serve(t, papers{"/feeds/shop": func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		paper("shop", 1)(w, r)
	}}, app.Options{Timeout: time.Minute})
	done := make(chan int, 1)
	go func() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, "/v1/refreshes", nil))
		done <- w.Code
	}()
	<-asked
	var problem api.Problem
	call(t, handler, http.MethodPost, "/v1/refreshes", http.StatusConflict, &problem)
	if problem.Code != "refresh_running" {
		t.Errorf("code %s", problem.Code)
	}
	close(answer)
	if code := <-done; code != http.StatusOK {
		t.Errorf("the first one's status is %d", code)
	}
}
