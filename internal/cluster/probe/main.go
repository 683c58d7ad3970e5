// Command probe runs in a pod and sends from there what it is told to, to show what a pod of that identity can reach. It takes its
// orders on the pod's loopback only, which a forwarded port leads to:
//
//	POST   /send   a load.Request; answers with the load.Answer
//	POST   /load   a load.Plan; requests go out from then on
//	GET    /load   the load.Result so far
//	DELETE /load   ends it; answers with the load.Result
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// address is where orders are taken.
const address = "127.0.0.1:7070"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p := &probe{ctx: ctx, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", p.send)
	mux.HandleFunc("POST /load", p.start)
	mux.HandleFunc("GET /load", p.look)
	mux.HandleFunc("DELETE /load", p.stop)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// probe sends one request at a time for whoever asks, and one load.
type probe struct {
	ctx    context.Context //nolint:containedctx // of the process: a load outlives the request that starts it
	client *http.Client

	mu      sync.Mutex
	running *load.Run
}

func (p *probe) send(w http.ResponseWriter, r *http.Request) {
	var request load.Request
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	answer(w, request.Send(ctx, p.client))
}

func (p *probe) start(w http.ResponseWriter, r *http.Request) {
	var plan load.Plan
	if err := json.NewDecoder(r.Body).Decode(&plan); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		http.Error(w, "a load is running", http.StatusConflict)
		return
	}
	running, err := load.Start(p.ctx, p.client, plan)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.running = running
	w.WriteHeader(http.StatusAccepted)
}

func (p *probe) look(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		http.Error(w, "no load is running", http.StatusNotFound)
		return
	}
	answer(w, p.running.Result())
}

func (p *probe) stop(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		http.Error(w, "no load is running", http.StatusNotFound)
		return
	}
	result := p.running.Stop()
	p.running = nil
	answer(w, result)
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // whoever asked is gone
}
