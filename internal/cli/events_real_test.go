//go:build real

package cli_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/test/real"
)

func TestDeadLettersAreListedAndRedrivenOnKafka(t *testing.T) {
	deadLetters(t, real.NewKafka(t).Brokers())
}
