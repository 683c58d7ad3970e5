//go:build !linux

package chassis

import "runtime/debug"

// releaseStart gives back the heap's garbage of the start.
func releaseStart() error {
	debug.FreeOSMemory()
	return nil
}
