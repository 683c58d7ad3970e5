// Package legacytest runs the old payment gateway and the monolith inside a test of a service that calls them: the real ones, on a
// database of the test's own.
package legacytest

import (
	"io"
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	legacy "github.com/trellis-mesh/trellis/services/legacy/internal/http"
	"github.com/trellis-mesh/trellis/services/legacy/internal/monolith"
	"github.com/trellis-mesh/trellis/services/legacy/internal/store"
	"github.com/trellis-mesh/trellis/services/legacy/migrations"
)

// Gateway answers as the service does.
type Gateway struct {
	http.Handler
	DB    *database.DB
	store *store.Store
}

// New makes a gateway that knows of no payment yet.
func New(t testing.TB) *Gateway {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "legacy", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	db := databasetest.New(t, migrations.FS)
	kept := store.New(db)
	api.Register(server.Router(), legacy.New(legacy.Deps{Store: kept, Monolith: monolith.New(db)}))
	return &Gateway{Handler: server.Handler(), DB: db, store: kept}
}

// Charged is what has been charged and not given back, in cents, by reference.
func (g *Gateway) Charged(t testing.TB) map[string]int64 {
	t.Helper()
	charged, err := g.store.Charged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return charged
}
