//go:build !linux

package proc

import (
	"errors"
	"time"
)

var errLinuxOnly = errors.New("only Linux tells")

func pinned(_ int, path string, args []string) (string, []string) { return path, args }

// Launch does nothing: servers are pinned on Linux only.
func Launch() {}

// CPUs is empty: processors are chosen on Linux only.
func CPUs() []int { return nil }

// PinSelf does nothing.
func PinSelf(int) (restore func(), err error) { return func() {}, nil }

// CPUTime is known on Linux only.
func (p *Process) CPUTime() (time.Duration, error) { return 0, errLinuxOnly }

// Resident is known on Linux only.
func (p *Process) Resident() (all, own int64, err error) { return 0, 0, errLinuxOnly }

// LoadAverage is known on Linux only.
func LoadAverage() float64 { return 0 }
