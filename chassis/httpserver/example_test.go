package httpserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func Example() {
	tel, err := telemetry.New(context.Background(), telemetry.Options{Service: "greeter", Output: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := httpserver.New(httpserver.Options{Contract: greeting.Contract, Telemetry: tel})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &greeter{get: func(_ context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		return nil, problem.NotFound("greeting_not_found", "There is no greeting "+r.Id+".")
	}}
	httpserver.Register(server.Router(), greeting.StrictServerInterface(handler), greeting.NewStrictHandlerWithOptions, greeting.RegisterHandlersWithOptions)

	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/greetings/17", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 404 application/problem+json
}
