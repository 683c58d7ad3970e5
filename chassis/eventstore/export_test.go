package eventstore

import "context"

// Measure sets the gauges now; Run does it every few seconds.
func Measure(ctx context.Context, p *Projector) error { return p.measure(ctx) }

// Decode reads a stored event.
func Decode(t *Types, name string, version int, data []byte) (any, error) {
	return t.decode(name, version, data)
}
