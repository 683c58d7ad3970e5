package idempotency_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func Example() {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	must(err)
	defer func() { _ = db.Close() }()
	must(database.Migrate(ctx, db, idempotency.Migrations()))
	tel, err := telemetry.New(ctx, telemetry.Options{Service: "shop", Output: io.Discard})
	must(err)
	server, err := httpserver.New(httpserver.Options{Contract: []byte(contract), Authorize: bearer, Telemetry: tel})
	must(err)

	keys, err := idempotency.New(db, idempotency.Options{Required: []string{"createNote"}})
	must(err)
	server.Router().Use(keys.Middleware)
	notes := 0
	server.Router().POST("/v1/notes", func(c *gin.Context) {
		notes++
		answer := func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusCreated)
			_, err := fmt.Fprintf(w, "note %d", notes)
			return err
		}
		err := db.InTx(c.Request.Context(), func(ctx context.Context, tx bun.Tx) error {
			// write the note, then:
			return idempotency.Complete(ctx, tx, answer)
		})
		if err == nil {
			err = answer(c.Writer)
		}
		if err != nil {
			problem.Abort(c, err)
		}
	})

	for range 2 {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/notes", strings.NewReader(`{"name": "milk"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "8e03978e-40d5-43e8-bc93-6894a57f9324")
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		fmt.Printf("%d %s %q\n", w.Code, w.Body, w.Header().Get("Idempotency-Replayed"))
	}
	// Output:
	// 201 note 1 ""
	// 201 note 1 "true"
}
