// Package soak has what tests that repeat something random share: how often, so that they are short in everyday runs and long
// in `make soak`, and a seed to repeat a failure with.
package soak

import (
	"os"
	"strconv"
	"testing"
)

// Variable is the environment variable with the number of rounds.
const Variable = "TRELLIS_ROUNDS"

// Rounds is how often a test repeats: as often as Variable says, else everyday.
func Rounds(t testing.TB, everyday int) int {
	t.Helper()
	text := os.Getenv(Variable)
	if text == "" {
		return everyday
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: it must be a number above 0", Variable, text)
	}
	return n
}

// On reports whether tests are to take long, and much room.
func On() bool { return os.Getenv(Variable) != "" }
