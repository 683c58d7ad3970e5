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
	crash(t, map[string]string{"s1": real.Postgres(t), "s2": real.Postgres(t), "s3": real.Postgres(t)}, 6, 300)
}
