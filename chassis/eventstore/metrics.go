package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

const statsInterval = 5 * time.Second

// metrics of projections, except the counters, are the same in every process of the service: take their maximum.
type metrics struct {
	appended, conflicts   prometheus.Counter
	snapshots             *prometheus.CounterVec
	handled, failed       *prometheus.CounterVec
	lag, behind, standing *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	m := metrics{
		appended:  metric.EventStoreAppended.Counter(),
		conflicts: metric.EventStoreConflicts.Counter(),
		snapshots: metric.EventStoreSnapshots.CounterVec(),
		handled:   metric.ProjectionHandled.CounterVec(),
		failed:    metric.ProjectionFailures.CounterVec(),
		lag:       metric.ProjectionLagEvents.GaugeVec(),
		behind:    metric.ProjectionLagSeconds.GaugeVec(),
		standing:  metric.ProjectionFailing.GaugeVec(),
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.appended, m.conflicts, m.snapshots, m.handled, m.failed, m.lag, m.behind, m.standing,
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// Status is how far a generation of a projection is.
type Status struct {
	Name           string
	Generation     int64
	Live           bool // else it is being built
	Position       int64
	Lag            int64         // events that it has not handled, of any type
	Behind         time.Duration // the age of the oldest of them
	Failures       int           // of the event at FailedPosition, in a row; 0: it gets on
	FailedPosition int64
	LastError      string
}

// Status gives the live and the building generations.
func (p *Projector) Status(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, one := range p.all {
		var rows []projectionRow
		err := p.store.db.NewSelect().Model(&rows).Where("name = ?", one.Name).Where("state <> ?", retired).OrderExpr("generation").Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("status of projection %s: %w", one.Name, err)
		}
		for _, row := range rows {
			s := Status{
				Name: row.Name, Generation: row.Generation, Live: row.State == live, Position: row.Position,
				Failures: row.Failures, FailedPosition: row.FailedPosition, LastError: row.LastError,
			}
			if s.Lag, s.Behind, err = p.lag(ctx, row.Position); err != nil {
				return nil, fmt.Errorf("status of projection %s: %w", one.Name, err)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

func (p *Projector) lag(ctx context.Context, position int64) (int64, time.Duration, error) {
	var rows []eventRow
	err := p.store.db.NewSelect().Model(&rows).Column("at").Where("position > ?", position).OrderExpr("position").Limit(1).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return 0, 0, err
	}
	last, err := head(ctx, p.store.db) // positions have no gaps
	return last - position, max(p.store.now().Sub(rows[0].At), 0), err
}

// Check is an error when a projection stands still, for a health check. It concerns one read model and all replicas alike,
// so it belongs into a report rather than into readiness, which would take the whole service away.
func (p *Projector) Check(ctx context.Context) error {
	all, err := p.Status(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range all {
		if s.Failures > 0 {
			errs = append(errs, fmt.Errorf("projection %s, generation %d, stands still at position %d after %d failures: %s",
				s.Name, s.Generation, s.FailedPosition, s.Failures, s.LastError))
		}
	}
	return errors.Join(errs...)
}

// measure sets the gauges.
func (p *Projector) measure(ctx context.Context) error {
	all, err := p.Status(ctx)
	if err != nil {
		return err
	}
	p.store.metrics.lag.Reset()
	p.store.metrics.behind.Reset()
	p.store.metrics.standing.Reset()
	for _, s := range all {
		state := building
		if s.Live {
			state = live
		}
		p.store.metrics.lag.WithLabelValues(s.Name, state).Set(float64(s.Lag))
		p.store.metrics.behind.WithLabelValues(s.Name, state).Set(s.Behind.Seconds())
		failing := 0.0
		if s.Failures > 0 {
			failing = 1
		}
		p.store.metrics.standing.WithLabelValues(s.Name, state).Set(failing)
	}
	return nil
}
