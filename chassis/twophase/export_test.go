package twophase

import "context"

// Measure sets the gauges now; Run does it every few seconds.
func Measure[D any](ctx context.Context, c *Coordinator[D]) error { return c.measure(ctx) }

// Clean deletes what is past its retention now; Run does it every minute.
func Clean[D any](ctx context.Context, c *Coordinator[D]) error { return c.clean(ctx) }
