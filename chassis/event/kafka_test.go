package event_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
)

func TestInProcessKafkaConforms(t *testing.T) {
	eventtest.Conformance(t, eventtest.Kafka(t))
}
