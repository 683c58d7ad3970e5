package chassis_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis"
)

// A service's main is chassis.Main(spec, wire). Run is the same with the process passed in, as a test wants it.
func Example() {
	spec := chassis.Spec{Name: "greeter", Version: "v1.0.0"}
	wire := func(_ context.Context, s *chassis.Service) error {
		s.Router().GET("/v1/greetings/:name", func(c *gin.Context) {
			c.String(http.StatusOK, "Hello, %s!", c.Param("name"))
		})
		return nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	err := chassis.Run(ctx, spec, wire, chassis.Options{
		Environ: []string{"APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0", "APP_SHUTDOWN_DELAY=0s"},
		Started: func(s *chassis.Service) {
			defer cancel()
			resp, err := http.Get("http://" + s.Addr() + "/v1/greetings/Ada")
			if err != nil {
				fmt.Println(err)
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			fmt.Println(string(body))
		},
	})
	fmt.Println("stopped:", err)
	// Output:
	// Hello, Ada!
	// stopped: <nil>
}
