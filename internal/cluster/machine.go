package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// What a platform of some services needs at least: less, and pods are ended for want of memory.
const (
	leastProcessors = 2
	leastMemory     = 5 << 30
)

// checkMachine looks whether the platform can run here at all, before anything is made.
func (p *Platform) checkMachine(ctx context.Context, say sayer) (string, error) {
	say("ask Docker")
	engine, err := askDocker(ctx)
	if err != nil {
		return "", err
	}
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		if err := p.kind.fits(ctx, found, p.NodeImage); err != nil {
			return "", err
		}
	} else if err := p.portsAreFree(); err != nil {
		return "", err
	}
	if engine.MemTotal < leastMemory {
		return "", fmt.Errorf("Docker has %.1f GiB of memory, and the platform needs %d: give it more (in Docker Desktop: Settings, Resources), "+
			"or run `make up`, which needs no cluster", gib(engine.MemTotal), leastMemory>>30)
	}
	if engine.NCPU < leastProcessors {
		return "", fmt.Errorf("Docker has %d processor, and the platform needs %d: give it more (in Docker Desktop: Settings, Resources), "+
			"or run `make up`, which needs no cluster", engine.NCPU, leastProcessors)
	}
	return fmt.Sprintf("Docker %s, %d processors, %.1f GiB", engine.ServerVersion, engine.NCPU, gib(engine.MemTotal)), nil
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

// dockerEngine is what Docker tells of itself.
type dockerEngine struct {
	ServerVersion string
	NCPU          int
	MemTotal      int64
}

func askDocker(ctx context.Context) (dockerEngine, error) {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var e dockerEngine
	out, err := docker(ctx, "info", "--format", "{{json .}}")
	switch {
	case errors.Is(err, exec.ErrNotFound) || err != nil && strings.Contains(err.Error(), "executable file not found"):
		return e, errors.New("there is no docker command on the PATH: install Docker, or run `make up`, which needs none")
	case errors.Is(err, context.DeadlineExceeded):
		return e, fmt.Errorf("Docker did not answer within %s: start it anew, or run `make up`, which needs none", limit)
	case err != nil:
		return e, fmt.Errorf("Docker does not answer: start it (`sudo systemctl start docker`, or Docker Desktop), or run `make up`, which needs none: %w", err)
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		return e, fmt.Errorf("understand `docker info`: %w", err)
	}
	if e.ServerVersion == "" {
		return e, errors.New("Docker does not answer: start it (`sudo systemctl start docker`, or Docker Desktop), or run `make up`, which needs none")
	}
	return e, nil
}

// portsAreFree refuses to start a cluster whose way in another program listens on.
func (p *Platform) portsAreFree() error {
	for _, port := range []int{p.config.plain, p.config.secure} {
		address := net.JoinHostPort(p.config.address, strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("the gateway needs %s, which is taken: end the program that listens there (`ss -ltnp 'sport = :%d'` names it), "+
				"or choose another hostPort in %s: %w", address, port, ConfigFile, err)
		}
		_ = listener.Close() // nothing was accepted
	}
	return nil
}
