package port

import (
	"fmt"
	"net"
	"testing"
)

// platforms is the first port that a platform takes by default: local.portBase in internal/spec.
const platforms = 18000

func TestPortsAreDifferentAndFree(t *testing.T) {
	ports, err := Free(50)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 50 {
		t.Errorf("%d ports, want 50", len(ports))
	}
	for _, p := range ports { // all are listened on at the same time, so that no two may be the same
		if p >= platforms {
			t.Errorf("port %d is of those that platforms take, from %d", p, platforms)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Error(err)
			continue
		}
		t.Cleanup(func() { _ = l.Close() })
	}
}
