package spec

import (
	"bytes"
	"slices"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// Features are what the service has that brings metrics of the chassis with it.
func (s *Service) Features() []metric.Feature {
	features := []metric.Feature{metric.Always}
	add := func(has bool, f metric.Feature) {
		if has {
			features = append(features, f)
		}
	}
	database := s.Database.Kind != "none"
	add(len(s.Calls) > 0, metric.Calls)
	add(database, metric.Database)
	add(s.Cache.Kind != "none", metric.Cache)
	add(len(s.Events.Publishes) > 0, metric.Publishes)
	add(len(s.Events.Consumes) > 0, metric.Consumes)
	add(database && len(s.Events.Publishes) > 0, metric.Outbox)
	add(s.Contract != nil && bytes.Contains(s.Contract.Raw, []byte("Idempotency-Key")), metric.Idempotency)
	add(len(s.Database.Shards) > 0, metric.Shard)
	add(s.Flags.Kind != "none", metric.Flags)
	for _, use := range s.Uses {
		features = append(features, metric.Feature(use))
	}
	return features
}

// Has tells whether the service has a feature.
func (s *Service) Has(f metric.Feature) bool { return slices.Contains(s.Features(), f) }
