//go:build real

package saga_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return openURL(t, real.Postgres(t)) })
}

func TestEffectsBalanceWhenProcessesOnPostgresAreKilled(t *testing.T) {
	killed(t, real.Postgres(t), 8)
}
