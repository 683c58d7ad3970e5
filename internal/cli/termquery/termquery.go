// Package termquery keeps libraries from asking the terminal for its colours before main runs. Bubble Tea, which draws the prompts,
// does so in an init function, so that each command, even `scaffold version`, would write escape sequences to the terminal and wait up to
// five seconds for an answer.
//
// It works by the order in which Go initialises packages: the first by import path of those whose imports are ready. This one needs
// only os, Bubble Tea also os/signal, which comes later.
//
//	termquery.Restore() // first thing in main
package termquery

import "os"

var term, wasSet = os.LookupEnv("TERM")

var _ = os.Setenv("TERM", "dumb")

// Restore gives back the environment as the process was started with.
func Restore() {
	if wasSet {
		_ = os.Setenv("TERM", term)
		return
	}
	_ = os.Unsetenv("TERM")
}
