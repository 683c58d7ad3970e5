package fault_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/fault"
)

func Example() {
	faults := fault.New(fault.Options{})
	admin := faults.Handler() // the admin server serves it at /fault

	w := httptest.NewRecorder()
	rule := strings.NewReader(`{"delay":"200ms","error":503,"share":0.05}`)
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/fault", rule))
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"delay":"200ms","error":503,"share":0.05}
}
