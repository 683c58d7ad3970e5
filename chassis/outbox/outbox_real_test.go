//go:build real

package outbox_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return openURL(t, real.Postgres(t)) })
}

func TestNothingIsLostWhenRealProcessesAreKilled(t *testing.T) {
	crash(t, real.Postgres(t), real.Postgres(t), real.NewKafka(t), 20)
}
