package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/trellis-mesh/trellis/internal/local/mail"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/topic"
)

// host is what the services need and this process provides.
type host struct {
	brokers []string
	redis   string // URL
	traces  string // URL of the receiver
	sink    *otlp.Sink
	mail    *mail.Sink // nil when no service sends mails
	smtp    int        // port of it
	closers []func()
}

func (h *host) onClose(fn func()) { h.closers = append(h.closers, fn) }

// close ends all in the opposite order of their start.
func (h *host) close() {
	for _, fn := range slices.Backward(h.closers) {
		fn()
	}
	h.closers = nil
}

// demand says which servers are needed.
type demand struct{ kafka, redis, database, mail, watch bool }

func needs(services []*spec.Service) (d demand) {
	for _, s := range services {
		d.kafka = d.kafka || len(s.Events.Publishes)+len(s.Events.Consumes) > 0
		d.redis = d.redis || s.Cache.Kind == "redis"
		d.database = d.database || s.Database.Kind == "postgres"
		d.mail = d.mail || mails(s)
	}
	return d
}

// mails reports whether a service sends mails: among its externals is a host with a port that mail servers have (RFC 5321, 6409, 8314).
func mails(s *spec.Service) bool {
	return slices.ContainsFunc(s.Externals, func(e spec.External) bool { return e.Port == 25 || e.Port == 465 || e.Port == 587 })
}

// startHost starts what the services need. Tell is given a line for each mail.
func startHost(ctx context.Context, o Options, p ports, services []*spec.Service, tell func(format string, args ...any)) (*host, error) {
	h := &host{brokers: o.Kafka, redis: o.Redis}
	need := needs(services)
	steps := []struct {
		wanted bool
		start  func() error
	}{
		{true, func() error { return h.startTraces(ctx, p.traces) }},
		{need.kafka && len(o.Kafka) == 0, func() error { return h.startKafka(p.kafka, filepath.Join(o.DataDir, "kafka"), topic.Of(o.Model)) }},
		{need.kafka && len(o.Kafka) > 0, func() error { return topic.Create(ctx, o.Kafka, nil, topic.Of(o.Model)) }},
		{need.redis && o.Redis == "", func() error { return h.startRedis(p.redis) }},
		{need.mail, func() error { return h.startMail(p.mail, tell) }},
		{need.database && o.Database == nil, func() error { return os.MkdirAll(o.DataDir, 0o750) }},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.start(); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

func (h *host) startTraces(ctx context.Context, port int) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", loopback(port))
	if err != nil {
		return fmt.Errorf("start the receiver of traces: %w", err)
	}
	h.sink = otlp.NewSink(otlp.Options{})
	h.traces = "http://" + l.Addr().String()
	server := &http.Server{Handler: h.sink, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // ends with ErrServerClosed
	}()
	h.onClose(func() {
		_ = server.Close()
		<-ended
	})
	return nil
}

// startMail tells of a mail without saying to whom it goes: that is a person's, and logs are read by others.
func (h *host) startMail(port int, tell func(format string, args ...any)) error {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return fmt.Errorf("start the receiver of mails: %w", err)
	}
	h.mail, h.smtp = mail.NewSink(mail.Options{Took: func(m mail.Mail) { tell("mail %s %s", m.Kind, m.ID) }}), port
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.mail.Serve(l) // ends when it is closed
	}()
	h.onClose(func() {
		_ = h.mail.Close()
		_ = l.Close() // which the sink does not, unless it serves yet
		<-ended
	})
	return nil
}

func (h *host) startRedis(port int) error {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(loopback(port)); err != nil {
		return fmt.Errorf("start redis: %w", err)
	}
	h.redis = "redis://" + server.Addr()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		expire(server, stop)
	}()
	h.onClose(func() {
		close(stop)
		<-ended
		server.Close()
	})
	return nil
}

// expire lets time pass for the keys: miniredis has no clock of its own.
func expire(server *miniredis.Miniredis, stop <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// databaseURL of a database without a server of its own is a file.
func databaseURL(o Options, name string) string {
	if o.Database != nil {
		return o.Database(name)
	}
	return "sqlite://" + filepath.ToSlash(filepath.Join(o.DataDir, name+".db"))
}
