// Package stub is the least that package local expects of a service.
package stub

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Main serves until SIGTERM. STUB_<NAME> in the environment sets its faults: crash, sick, deaf.
func Main(name string) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", name)
	fault := os.Getenv("STUB_" + strings.ToUpper(name))
	if fault == "crash" {
		fmt.Fprintln(os.Stderr, "panic: no such luck")
		os.Exit(7)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, r *http.Request) {
		if fault == "sick" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"status":"DOWN","checks":{"cache":{"status":"UP"},"database":{"status":"DOWN","reason":"connection refused"}}}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"UP"}`)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(os.Environ()) })
	mux.HandleFunc("GET /exit", func(w http.ResponseWriter, r *http.Request) {
		log.Error("giving up", "cause", "asked to")
		os.Exit(3)
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		log.Info("listening", "addr", os.Getenv("APP_HTTP_ADDR"))
		if err := http.ListenAndServe(os.Getenv("APP_HTTP_ADDR"), mux); err != nil {
			log.Error("serve", "error", err.Error())
			os.Exit(1)
		}
	}()
	for range stop {
		log.Info("stopping")
		if fault != "deaf" {
			return
		}
	}
}
