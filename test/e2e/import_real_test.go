//go:build real

package e2e

import (
	"testing"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/test/real"
	"github.com/trellis-mesh/trellis/test/soak"
)

// onServers runs the catalog on PostgreSQL and Redis.
func onServers(t *testing.T) *shop {
	t.Helper()
	urls := databases(t)
	return startCatalog(t, local.Options{Database: func(service string) string { return urls[service] }, Redis: real.Redis(t)})
}

// TestImportOfALargeFileNeedsLittleMemory takes a gibibyte in `make soak`.
func TestImportOfALargeFileNeedsLittleMemory(t *testing.T) {
	size := int64(64 << 20)
	if soak.On() {
		size = 1 << 30
	}
	needsLittleMemory(t, onServers(t), size)
}

func TestImportOnPostgresIsResumedAfterKills(t *testing.T) {
	resumesAfterKills(t, onServers(t), 16<<20, min(soak.Rounds(t, 3), 10))
}
