package main

import (
	"cmp"
	"slices"
)

// median is the middle value, or the lower of the two middle ones; zero for none.
func median[T cmp.Ordered](values []T) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
