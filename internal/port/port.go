// Package port finds ports of this machine that nobody listens on, for programs that must be told where to listen.
//
//	ports, err := port.Free(3)
//
// It reserves none: another process may take one before it is used. Who can listen by itself asks the system for port 0 instead.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// The ports are below those that systems give to clients and to whoever asks for any (from 32768 on Linux), so that none of these gets
// one between our look and its use; and below the blocks of ports that platforms take (internal/local), and their copies in tests.
const (
	first = 10240
	last  = 17999
)

// Free gives n ports of the loopback interface, no two of them the same.
func Free(n int) ([]int, error) {
	var listeners []net.Listener // until all are found, so that the next is another one
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	ports := make([]int, 0, n)
	for _, i := range rand.Perm(last - first + 1) { //nolint:gosec // no secret
		if len(ports) == n {
			return ports, nil
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		listeners = append(listeners, l)
		ports = append(ports, first+i)
	}
	return nil, fmt.Errorf("there are no %d free ports from %d to %d: stop what listens on them", n, first, last)
}
