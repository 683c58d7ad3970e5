package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"

	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// ports of the platform: 0, 1, 2 and 3 from the base are Kafka, Redis, the traces and the mails; 4 to 8 are of what watches it; each
// service has two from 10 on, by its place among all services sorted by name, so that they stay the same when only some are started.
type ports struct {
	kafka, redis, traces, mail int
	watch                      watch.Ports // without Inner
	services                   map[string]servicePorts
}

type servicePorts struct{ api, admin int }

const (
	firstServicePort = 10
	lastPort         = 65535
)

func fixedPorts(base int, m *spec.Model) (ports, error) {
	last := base + firstServicePort + 2*len(m.Services) - 1
	if base < 1 || last > lastPort {
		return ports{}, fmt.Errorf("local.portBase %d: the platform needs ports %d to %d: set another in platform.yaml", base, base, last)
	}
	p := ports{kafka: base, redis: base + 1, traces: base + 2, mail: base + 3, services: make(map[string]servicePorts)}
	p.watch = watch.Ports{Prometheus: base + 4, Alertmanager: base + 5, Jaeger: base + 6, Loki: base + 7, OTLP: base + 8}
	for i, s := range m.Services {
		p.services[s.Name] = servicePorts{api: base + firstServicePort + 2*i, admin: base + firstServicePort + 2*i + 1}
	}
	return p, nil
}

// Blocks of ports for platforms that take any. They lie below what systems give to clients (from 32768 on Linux), since a client could
// get a port between our look and the service's start.
const (
	firstBlock = 20480
	lastBlock  = 32512
	blockSize  = 256
	// reservation is a port of a block that its platform listens on as long as it lives, so that no other takes the block.
	reservation = 9
)

// freePorts finds a block that is free, and reserves it until release is called.
func freePorts(m *spec.Model) (p ports, release func(), err error) {
	if firstServicePort+2*len(m.Services) > blockSize {
		return ports{}, nil, fmt.Errorf("free ports are there for at most %d services", (blockSize-firstServicePort)/2)
	}
	const blocks = (lastBlock-firstBlock)/blockSize + 1
	begin := rand.IntN(blocks) //nolint:gosec // no secret
	for i := range blocks {
		base := firstBlock + (begin+i)%blocks*blockSize
		l, err := net.Listen("tcp", loopback(base+reservation))
		if err != nil {
			continue
		}
		p, err := fixedPorts(base, m)
		if err == nil {
			err = p.check(m.Services, demand{kafka: true, redis: true, mail: true, watch: true})
		}
		if err == nil {
			return p, func() { _ = l.Close() }, nil
		}
		_ = l.Close()
	}
	return ports{}, nil, fmt.Errorf("no block of %d free ports from %d to %d", blockSize, firstBlock, lastBlock)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// PortTaken is the error for a port that something else listens on.
type PortTaken struct {
	Port   int
	For    string // what the platform wanted it for
	Holder string // pid and command, when the system tells
}

func (e *PortTaken) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("port %d (%s) is taken by %s: stop it, or set another local.portBase in platform.yaml", e.Port, e.For, holder)
}

// CheckPorts tells which of the ports that `scaffold up` would use are taken, and by what. Nothing is started.
func CheckPorts(m *spec.Model) error {
	p, err := fixedPorts(m.Platform.Local.PortBase, m)
	if err != nil {
		return err
	}
	return p.check(m.Services, demand{kafka: true, redis: true, mail: true})
}

// check reports every port taken.
func (p ports) check(services []*spec.Service, wanted demand) error {
	var errs []error
	try := func(port int, what string) {
		l, err := net.Listen("tcp", loopback(port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, &PortTaken{Port: port, For: what, Holder: PortHolder(port)})
		case err != nil:
			errs = append(errs, fmt.Errorf("port %d (%s): %w", port, what, err))
		default:
			_ = l.Close()
		}
	}
	if wanted.kafka {
		try(p.kafka, "kafka")
	}
	if wanted.redis {
		try(p.redis, "redis")
	}
	if wanted.mail {
		try(p.mail, "mails")
	}
	try(p.traces, "traces")
	if wanted.watch {
		try(p.watch.Prometheus, "prometheus")
		try(p.watch.Alertmanager, "alertmanager")
		try(p.watch.Jaeger, "jaeger")
		try(p.watch.Loki, "loki")
		try(p.watch.OTLP, "the collector")
	}
	for _, s := range services {
		try(p.services[s.Name].api, s.Name+" API")
		try(p.services[s.Name].admin, s.Name+" admin")
	}
	return errors.Join(errs...)
}
