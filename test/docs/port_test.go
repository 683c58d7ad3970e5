package docs_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var portBase = regexp.MustCompile(`(?m)^( +portBase: )(\d\d)000\b`)

// movePorts lets the copy's platform listen elsewhere, with the same last three digits, so that one that runs on this
// machine, or in another test, is not in the way. Commands that name a port are moved with it.
func (s *platform) movePorts(t *testing.T) {
	t.Helper()
	path := filepath.Join(s.dir, "platform.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	match := portBase.FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s: no local.portBase of whole thousands, as the documents name", path)
	}
	s.from = regexp.MustCompile(`:` + string(match[2]) + `(\d{3})\b`)
	s.base = freeThousand(t)
	s.to = fmt.Sprintf(":%d$1", s.base/1000)
	text = portBase.ReplaceAll(text, fmt.Appendf(nil, "${1}%d", s.base))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// portCount is more than the ports of the platform.
const portCount = 100

// freeThousand finds a thousand of ports, below those that the system gives to clients, whose first ports are free.
func freeThousand(t *testing.T) int {
	t.Helper()
	first := 20 + os.Getpid()%10 // tests at the same time begin their search at different places
	for i := range 10 {
		if base := 1000 * (20 + (first-20+i)%10); free(base, portCount) {
			return base
		}
	}
	t.Fatal("no free ports in a row between 20000 and 30000")
	return 0
}

func free(from, count int) bool {
	for port := from; port < from+count; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}
