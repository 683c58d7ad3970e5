package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/trellis-mesh/trellis/chassis/health"
)

func Example() {
	checks := health.New(health.Options{})
	checks.Add("database", func(context.Context) error { return nil }) // db.PingContext
	checks.Add("kafka", func(context.Context) error { return errors.New("no broker answers") })

	w := httptest.NewRecorder()
	checks.Ready().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health/ready", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 503 {"status":"DOWN","checks":{"database":{"status":"UP"},"kafka":{"status":"DOWN","reason":"failed"}}}
}
