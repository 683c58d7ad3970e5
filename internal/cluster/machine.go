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
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
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
	if err := engine.suffices(); err != nil {
		return "", err
	}
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	running, err := p.halfMade(ctx, found) // such a cluster is made anew at the same ports, whatever it is
	if err != nil {
		return "", err
	}
	if len(found) > 0 && !running {
		if running, err = p.kind.fits(ctx, found, p.NodeImage); err != nil {
			return "", err
		}
		if err := p.belongs(ctx, found); err != nil {
			return "", err
		}
	}
	if !running {
		if err := p.portsAreFree(ctx); err != nil {
			return "", err
		}
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

// What helps when Docker does not: the platform as processes of this machine.
const withoutDocker = "or run `make up`, which needs no Docker"

var errNoAnswer = errors.New("there is no answer from Docker: start it (`sudo systemctl start docker`, or Docker Desktop), " + withoutDocker)

func askDocker(ctx context.Context) (dockerEngine, error) {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var e dockerEngine
	out, err := docker(ctx, "info", "--format", "{{json .}}")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return e, errors.New("there is no docker command on the PATH: install Docker, " + withoutDocker)
	case errors.Is(err, context.DeadlineExceeded):
		return e, fmt.Errorf("there is no answer from Docker within %s: start it anew, %s", limit, withoutDocker)
	case err != nil && strings.Contains(err.Error(), "permission denied"):
		return e, fmt.Errorf("you may not use Docker: add yourself to its group (`sudo usermod -aG docker $USER`) and log in again, %s: %w", withoutDocker, err)
	case err != nil:
		return e, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		return e, fmt.Errorf("understand `docker info`: %w", err)
	}
	if e.ServerVersion == "" {
		return e, errNoAnswer
	}
	return e, nil
}

// suffices refuses a machine on which pods would be ended for want of memory, or never be placed.
func (e dockerEngine) suffices() error {
	const remedy = "give it more (in Docker Desktop: Settings, Resources), " + withoutDocker
	if e.MemTotal < leastMemory {
		return fmt.Errorf("the memory of Docker is %.1f GiB, and the platform needs %d GiB: %s", gib(e.MemTotal), leastMemory>>30, remedy)
	}
	if e.NCPU < leastProcessors {
		return fmt.Errorf("the processors of Docker are %d, and the platform needs %d: %s", e.NCPU, leastProcessors, remedy)
	}
	return nil
}

// portsAreFree refuses to start a cluster when something else listens where it is to be reached.
func (p *Platform) portsAreFree(ctx context.Context) error {
	for _, address := range p.config.published {
		listener, err := net.Listen("tcp", address)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("the cluster is to be reached at %s, which is taken by %s: stop that, or choose another hostPort in %s",
				address, portHolder(ctx, address), ConfigFile)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fmt.Errorf("the cluster is to be reached at %s, which is no address of this machine: change the listenAddress in %s", address, ConfigFile)
		case err == nil:
			_ = listener.Close() // nothing was accepted
		}
		// Docker may be allowed what this user is not, such as a port below 1024.
	}
	return nil
}

// portHolder names who listens at an address, as well as Docker and the system tell.
func portHolder(ctx context.Context, address string) string {
	_, text, _ := net.SplitHostPort(address) // it was put together here
	port, _ := strconv.Atoi(text)
	if out, err := docker(ctx, "ps", "--filter", "publish="+text, "--format", "{{.Names}}"); err == nil {
		if name, _, _ := strings.Cut(out, "\n"); name != "" {
			return "the container " + name
		}
	}
	if holder := local.PortHolder(port); holder != "" {
		return holder
	}
	return "another program"
}
