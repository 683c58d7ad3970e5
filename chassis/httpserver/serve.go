package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// listening is a server's way from an address to the last answer.
type listening struct {
	mu       sync.Mutex
	listener *sweepingListener
	server   *http.Server
	cut      context.CancelFunc // ends the context of every request
	closed   bool
}

// Listen binds the address. It says at once when that is taken.
func (s *Server) Listen(ctx context.Context) error {
	l := &s.listening
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil || l.closed {
		return nil
	}
	var config net.ListenConfig
	bound, err := config.Listen(ctx, "tcp", s.opt.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s: the port is taken; stop the program that has it or choose another address: %w", s.opt.Addr, err)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.opt.Addr, err)
	}
	l.listener = newSweepingListener(bound)
	return nil
}

// Addr is the address that Listen bound, with the port that was chosen for port 0; Options.Addr before.
func (s *Server) Addr() string {
	s.listening.mu.Lock()
	defer s.listening.mu.Unlock()
	if s.listening.listener == nil {
		return s.opt.Addr
	}
	return s.listening.listener.Addr().String()
}

// Serve answers requests until Shutdown and then returns nil, when the last of them has been answered. It calls Listen if
// nobody has. The end of ctx does not drain: it cuts off every request and connection.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	server, listener, ok := s.start(ctx)
	if !ok {
		return nil
	}
	s.reportUndeclared(ctx)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is cut off has nothing more to say
	defer stop()
	err := server.Serve(listener)
	listener.markSwept()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), ctx.Err())
	case errors.Is(err, http.ErrServerClosed), errors.Is(err, errSwept):
		<-listener.drained
		return nil
	}
	return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
}

// start makes the HTTP server. It reports false when Shutdown came first.
func (s *Server) start(ctx context.Context) (*http.Server, *sweepingListener, bool) {
	l := &s.listening
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, false
	}
	requests, cut := context.WithCancel(ctx)
	l.cut = cut
	l.server = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.opt.ReadHeaderTimeout,
		ReadTimeout:       s.opt.ReadTimeout,
		WriteTimeout:      s.opt.WriteTimeout,
		IdleTimeout:       s.opt.IdleTimeout,
		MaxHeaderBytes:    s.opt.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opt.Telemetry.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState:         s.countConnections,
	}
	return l.server, l.listener, true
}

func (s *Server) countConnections(conn net.Conn, state http.ConnState) {
	if tracked, ok := conn.(*trackedConn); ok {
		tracked.enter(state)
	}
	if s.active == nil {
		return
	}
	switch state {
	case http.StateNew:
		s.active.Inc()
	case http.StateClosed, http.StateHijacked:
		s.active.Dec()
	case http.StateActive, http.StateIdle:
	}
}

// reportUndeclared warns about operations of the contract that nobody serves.
func (s *Server) reportUndeclared(ctx context.Context) {
	if s.operations == nil {
		return
	}
	served := map[routeKey]bool{}
	for _, route := range s.engine.Routes() {
		served[routeKey{route.Method, route.Path}] = true
	}
	if missing := undeclared(*s.operations.known.Load(), served); len(missing) > 0 {
		s.opt.Telemetry.Log.WarnContext(ctx, "operations of the contract have no handler; they answer 404", slog.Any("operations", missing))
	}
}

// Drain asks clients to let go of their connections: every answer carries Connection: close. Requests are still taken.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown stops listening and waits for the requests under way. Connections that the kernel has accepted already are
// served too; a body that streams ends with an error for whoever reads it. When ctx ends it cuts off what is left and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.streams.stop()
	l := &s.listening
	l.mu.Lock()
	l.closed = true
	listener, server, cut := l.listener, l.server, l.cut
	l.mu.Unlock()
	if listener == nil {
		return nil
	}
	if server == nil {
		return listener.Close()
	}
	defer cut()
	defer listener.markDrained()
	listener.sweep(ctx)
	listener.settle(ctx)
	if err := server.Shutdown(ctx); err != nil {
		cut()
		_ = server.Close() // the error that counts is that the time ran out
		return fmt.Errorf("drain %s: %w", listener.Addr(), err)
	}
	return nil
}
