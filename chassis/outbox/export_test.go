package outbox

import "context"

// Measure sets the gauges now; Run does it every few seconds.
func Measure(ctx context.Context, o *Outbox) error { return o.measure(ctx) }

// Clean deletes what is past its retention now; Run does it every minute.
func Clean(ctx context.Context, o *Outbox) error { return o.clean(ctx) }
