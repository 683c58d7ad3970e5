//go:build !race

package soak

// Race reports whether the race detector watches the tests.
const Race = false
