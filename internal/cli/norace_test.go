//go:build !race

package cli_test

// raceDetector says whether the tests run with it.
const raceDetector = false
