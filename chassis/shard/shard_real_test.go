//go:build real

package shard_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return openURL(t, real.Postgres(t)) })
}

func TestNothingIsLostWhenProcessesOnPostgresAreKilled(t *testing.T) {
	killed(t, func(t *testing.T) string { return real.Postgres(t) }, 6, 300)
}
