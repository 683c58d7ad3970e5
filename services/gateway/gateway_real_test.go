//go:build real

package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/test/real"
)

func TestTheLimitConformsOnRedis(t *testing.T) {
	limitConformance(t, func(t *testing.T) string { return real.Redis(t) })
}
