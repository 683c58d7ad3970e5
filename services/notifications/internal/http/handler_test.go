package http

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/app"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
	"github.com/trellis-mesh/trellis/services/notifications/migrations"
)

// serve is the API as the service has it, contract validation included, on a store of the test's own.
func serve(t *testing.T) (http.Handler, *store.Store) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "notifications", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	kept := store.New(databasetest.New(t, migrations.FS))
	notifications, err := app.New(kept, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), New(notifications))
	return server.Handler(), kept
}

func TestMessagesAreListedAsTheyAre(t *testing.T) {
	h, kept := serve(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for i, id := range []string{"sent", "failed", "sending", "waiting"} {
		m := domain.Message{ID: id, CustomerID: "c", Kind: domain.Welcome, CreatedAt: at.Add(time.Duration(i) * time.Second)}
		if _, err := kept.Put(t.Context(), m, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"sent", "failed", "sending"} {
		c, ok, err := kept.Claim(t.Context(), at.Add(time.Hour), at.Add(2*time.Hour))
		if err != nil || !ok || c.ID != id {
			t.Fatalf("claimed %+v, %v", c, err)
		}
		switch id {
		case "sent":
			err = kept.Sent(t.Context(), c.Message, at)
		case "failed":
			err = kept.Fail(t.Context(), c.Message, "refused")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/messages?customerId=c&limit=10", nil))
	var list api.MessageList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK || len(list.Items) != 4 {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	for i, want := range []struct {
		id     string
		status api.MessageStatus
		sent   bool
	}{{"waiting", "waiting", false}, {"sending", "waiting", false}, {"failed", "failed", false}, {"sent", "sent", true}} {
		got := list.Items[i]
		if got.ID != want.id || got.Status != want.status || (got.SentAt != nil) != want.sent || got.Kind != "welcome" || got.CustomerID != "c" {
			t.Errorf("message %+v, want %+v", got, want)
		}
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/messages?customerId=c&limit=1", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Items) != 1 {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/messages", nil))
	if w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity {
		t.Errorf("without a customer: %d %s", w.Code, w.Body)
	}
}
