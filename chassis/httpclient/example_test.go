package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

func Example() {
	tries := 0
	catalog := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer catalog.Close()

	client, err := httpclient.New(httpclient.Options{
		Name:     "catalog",
		URL:      catalog.URL,
		Timeout:  time.Second,
		Attempts: 2,
		Backoff:  httpclient.Backoff{Initial: time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	defer client.HTTP.CloseIdleConnections()

	resp, err := client.HTTP.Get(client.URL + "/v1/products/7")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", tries, "tries")
	// Output: 200 after 2 tries
}

// A callee that hangs costs its caller no more than the timeout; what the caller's own client is told follows from the
// error.
func ExampleError() {
	catalog := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer catalog.Close()

	client, err := httpclient.New(httpclient.Options{Name: "catalog", URL: catalog.URL, Timeout: 20 * time.Millisecond, Attempts: 1})
	if err != nil {
		panic(err)
	}
	_, err = client.HTTP.Get(client.URL + "/v1/products/7")
	fmt.Println(errors.Is(err, context.DeadlineExceeded), problem.From(err).Status, problem.From(err).Detail)
	// Output: true 504 The service catalog did not answer in time.
}
