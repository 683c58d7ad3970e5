// Package metric defines every metric that the chassis keeps: its name, help, type, labels and buckets, in one place.
//
//	requests := metric.HTTPRequests.CounterVec()
//	requests.WithLabelValues("getOrder", "GET", "200", "gateway").Inc()
//
// The packages of the chassis make their collectors from these definitions and spell no name themselves. What is generated to watch
// a service, its rules and dashboards, uses them too, and `scaffold check` proves each name and label in a query against them: a
// metric that is renamed here names every panel and rule that it breaks.
//
// It is not for a service's own metrics: those are declared in its service.yaml, under metrics.
package metric

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is the kind of a metric.
type Type string

// The types of metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Feature is what a service has when it has a metric.
type Feature string

// The features of services. Those up to Flags follow from other declarations in service.yaml and from the contract; the rest are
// declared there under uses.
const (
	Always      Feature = "always"
	Calls       Feature = "calls"
	Database    Feature = "database"
	Cache       Feature = "cache"
	Publishes   Feature = "publishes"
	Consumes    Feature = "consumes"
	Outbox      Feature = "outbox"
	Idempotency Feature = "idempotency"
	Shard       Feature = "shard"
	Flags       Feature = "flags"
	Saga        Feature = "saga"
	TwoPhase    Feature = "twophase"
	EventStore  Feature = "eventstore"
	RateLimit   Feature = "ratelimit"
)

// Definition is what is known of a metric before anything is measured.
type Definition struct {
	Name    string
	Help    string
	Type    Type
	Labels  []string
	Buckets []float64 // upper bounds, of a histogram
	Feature Feature
	// Sharded says that a service with shards tells them apart by the label shard.
	Sharded bool

	constant prometheus.Labels
}

// With gives the definition of the metric with fixed values for some of its labels.
func (d Definition) With(values prometheus.Labels) Definition {
	d.Labels = slices.DeleteFunc(slices.Clone(d.Labels), func(label string) bool {
		_, fixed := values[label]
		return fixed
	})
	d.constant = values
	return d
}

// CounterVec makes a counter with labels.
func (d Definition) CounterVec() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(d.opts()), d.Labels)
}

// Counter makes a counter without labels.
func (d Definition) Counter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts(d.opts()))
}

// GaugeVec makes a gauge with labels.
func (d Definition) GaugeVec() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts(d.opts()), d.Labels)
}

// Gauge makes a gauge without labels.
func (d Definition) Gauge() prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts(d.opts()))
}

// HistogramVec makes a histogram with labels.
func (d Definition) HistogramVec() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(d.histogram(), d.Labels)
}

// Histogram makes a histogram without labels.
func (d Definition) Histogram() prometheus.Histogram { return prometheus.NewHistogram(d.histogram()) }

// Desc describes the metric to a collector that reads its value when it is asked.
func (d Definition) Desc() *prometheus.Desc {
	return prometheus.NewDesc(d.Name, d.Help, d.Labels, d.constant)
}

// ValueType is the type of a counter's or a gauge's value.
func (d Definition) ValueType() prometheus.ValueType {
	if d.Type == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

func (d Definition) opts() prometheus.Opts {
	return prometheus.Opts{Name: d.Name, Help: d.Help, ConstLabels: d.constant}
}

func (d Definition) histogram() prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: d.Name, Help: d.Help, ConstLabels: d.constant, Buckets: d.Buckets}
}

// Series gives the names of the time series that the metric becomes, as a query says them.
func (d Definition) Series() []string {
	if d.Type == Histogram {
		return []string{d.Name + "_bucket", d.Name + "_sum", d.Name + "_count"}
	}
	return []string{d.Name}
}

// Register registers c, or gives the collector of the same definition that is registered already: the parts of a process that
// keep the same metric share it. With no registry nothing is registered.
func Register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	if r == nil {
		return c, nil
	}
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}
