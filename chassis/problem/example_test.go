package problem_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

func Example() {
	load := func(id string) error {
		return problem.NotFound("order_not_found", "There is no order "+id+".")
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if err := load("17"); err != nil {
			problem.Write(w, r, fmt.Errorf("show order: %w", err))
		}
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodGet, "/v1/orders/17", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 404 application/problem+json
	// {"type":"about:blank","title":"Not Found","status":404,"detail":"There is no order 17.","instance":"/v1/orders/17","code":"order_not_found"}
}
