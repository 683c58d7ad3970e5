package local

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// ports of the platform: 0, 1 and 2 from the base are Kafka, Redis and the traces; each service has two from 10 on, by its place
// among all services sorted by name, so that they stay the same when only some are started.
type ports struct {
	kafka, redis, traces int
	services             map[string]servicePorts
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
	p := ports{kafka: base, redis: base + 1, traces: base + 2, services: make(map[string]servicePorts)}
	for i, s := range m.Services {
		p.services[s.Name] = servicePorts{api: base + firstServicePort + 2*i, admin: base + firstServicePort + 2*i + 1}
	}
	return p, nil
}

// freePorts asks the system for as many ports as needed. All stay open until the last is known, so that none comes twice.
func freePorts(services []*spec.Service) (ports, error) {
	var numbers []int
	for range 3 + 2*len(services) {
		l, err := net.Listen("tcp", loopback(0))
		if err != nil {
			return ports{}, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		numbers = append(numbers, l.Addr().(*net.TCPAddr).Port)
	}
	p := ports{kafka: numbers[0], redis: numbers[1], traces: numbers[2], services: make(map[string]servicePorts)}
	for i, s := range services {
		p.services[s.Name] = servicePorts{api: numbers[3+2*i], admin: numbers[4+2*i]}
	}
	return p, nil
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
	return p.check(m.Services, true, true)
}

// check reports every port taken.
func (p ports) check(services []*spec.Service, kafka, redis bool) error {
	var errs []error
	try := func(port int, what string) {
		l, err := net.Listen("tcp", loopback(port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, &PortTaken{Port: port, For: what, Holder: portHolder(port)})
		case err != nil:
			errs = append(errs, fmt.Errorf("port %d (%s): %w", port, what, err))
		default:
			_ = l.Close()
		}
	}
	if kafka {
		try(p.kafka, "kafka")
	}
	if redis {
		try(p.redis, "redis")
	}
	try(p.traces, "traces")
	for _, s := range services {
		try(p.services[s.Name].api, s.Name+" API")
		try(p.services[s.Name].admin, s.Name+" admin")
	}
	return errors.Join(errs...)
}
