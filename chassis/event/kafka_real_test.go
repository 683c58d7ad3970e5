//go:build real

package event_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestKafkaConforms(t *testing.T) {
	eventtest.Conformance(t, real.Kafka(t).Brokers())
}
