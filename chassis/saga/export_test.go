package saga

import "context"

// Measure sets the gauge now; Run does it every few seconds.
func Measure[S any](ctx context.Context, s *Saga[S]) error { return s.measure(ctx) }

// Clean deletes what is past its retention now; Run does it every minute.
func Clean[S any](ctx context.Context, s *Saga[S]) error { return s.clean(ctx) }
