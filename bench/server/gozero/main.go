// Command gozero serves a thing with go-zero as its own project generator lays a service out: the configuration file's
// defaults, every native middleware but load shedding on, JSON access logs on standard output, metrics and health on the DevServer, traces
// over OTLP/HTTP.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/rest"
	"github.com/zeromicro/go-zero/rest/httpx"

	"github.com/trellis-mesh/trellis/bench/server/thing"
)

// configuration is what a project has in etc/thing-api.yaml; what it leaves out keeps go-zero's default.
const configuration = `
Name: thing
Host: %s
Port: %d
CpuThreshold: 0 # the load shedder is off: the comparison saturates the processor on purpose
Log:
  Encoding: json
Telemetry:
  Name: thing-go-zero
  Endpoint: %s
  Sampler: %g
  Batcher: otlphttp
DevServer:
  Enabled: true
  Host: %s
  Port: %d
`

type request struct {
	ID string `path:"id"`
}

// Validate is called by httpx.Parse.
func (r *request) Validate() error { return thing.CheckID(r.ID) }

func main() {
	if err := run(thing.ParseOptions()); err != nil {
		log.Fatal(err)
	}
}

func run(options thing.Options) error {
	c, err := load(options)
	if err != nil {
		return err
	}
	server, err := rest.NewServer(c)
	if err != nil {
		return err
	}
	defer server.Stop()
	server.AddRoute(rest.Route{Method: http.MethodGet, Path: "/v1/things/:id", Handler: get(thing.NewStore())})
	server.Start()
	return nil
}

func load(options thing.Options) (rest.RestConf, error) {
	var c rest.RestConf
	host, port, err := thing.HostPort(options.Addr)
	if err != nil {
		return c, err
	}
	adminHost, adminPort, err := thing.HostPort(options.Admin)
	if err != nil {
		return c, err
	}
	text := fmt.Sprintf(configuration, host, port, options.OTLP, options.Ratio, adminHost, adminPort)
	return c, conf.LoadFromYamlBytes([]byte(text), &c)
}

func get(store *thing.Store) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req request
		if err := httpx.Parse(r, &req); err != nil {
			httpx.ErrorCtx(r.Context(), w, err)
			return
		}
		t, ok := store.Find(req.ID)
		if !ok {
			httpx.WriteJsonCtx(r.Context(), w, http.StatusNotFound, map[string]string{"message": "no such thing"})
			return
		}
		httpx.OkJsonCtx(r.Context(), w, t)
	}
}
