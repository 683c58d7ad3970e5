package metric

import "slices"

// What every service has: of its requests, and of itself.
var (
	BuildInfo = define(Definition{
		Name: "build_info", Type: Gauge, Feature: Always, Labels: []string{"service", "version", "goversion"},
		Help: "Always 1; the labels say what is running.",
	})
	TelemetryLost = define(Definition{
		Name: "telemetry_lost_total", Type: Counter, Feature: Always, Labels: []string{"signal", "reason"},
		Help: "Spans and log records that did not reach the collector, by the reason: queue_full or export_failed.",
	})
	HTTPRequests = define(Definition{
		Name: "http_requests_total", Type: Counter, Feature: Always, Labels: []string{"operation", "method", "status", "caller"},
		Help: "Requests answered, by operation of the contract, method, status (0: the client got no answer) and the service that called.",
	})
	// The bounds reach from an answer out of memory to the default deadline, with the usual objectives among them, so that a
	// service level can be read off without interpolation.
	HTTPRequestDuration = define(Definition{
		Name: "http_request_duration_seconds", Type: Histogram, Feature: Always, Labels: []string{"operation", "method"},
		Help:    "Time from a request's headers to the end of its answer, by operation and method.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .3, .5, .8, 1, 2.5, 5, 10, 15},
	})
	ActiveConnections = define(Definition{
		Name: "active_connections", Type: Gauge, Feature: Always,
		Help: "Open connections to the API port, idle ones included.",
	})
	HTTPRequestsInFlight = define(Definition{
		Name: "http_requests_in_flight", Type: Gauge, Feature: Always,
		Help: "Requests being answered now.",
	})
	HTTPPanics = define(Definition{
		Name: "http_panics_total", Type: Counter, Feature: Always,
		Help: "Handlers that panicked.",
	})
)

// Calls of other services.
var (
	ClientRequests = define(Definition{
		Name: "http_client_requests_total", Type: Counter, Feature: Calls, Labels: []string{"callee", "operation", "status"},
		Help: "Calls to other services by callee, operation and status: an HTTP status, or why there is none.",
	})
	ClientRequestDuration = define(Definition{
		Name: "http_client_request_duration_seconds", Type: Histogram, Feature: Calls, Labels: []string{"callee", "operation"},
		Help:    "Time from the call to its answer's headers, retries and waits included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
	ClientRetries = define(Definition{
		Name: "http_client_retries_total", Type: Counter, Feature: Calls, Labels: []string{"callee", "operation"},
		Help: "Attempts after the first one.",
	})
	ClientBreakerState = define(Definition{
		Name: "http_client_breaker_state", Type: Gauge, Feature: Calls, Labels: []string{"callee"},
		Help: "The callee's circuit breaker: 0 closed, 1 half-open, 2 open.",
	})
	ClientBulkheadInUse = define(Definition{
		Name: "http_client_bulkhead_in_use", Type: Gauge, Feature: Calls, Labels: []string{"callee"},
		Help: "Calls under way to the callee.",
	})
	ClientBulkheadLimit = define(Definition{
		Name: "http_client_bulkhead_limit", Type: Gauge, Feature: Calls, Labels: []string{"callee"},
		Help: "Calls that may be under way to the callee at once.",
	})
)

// The pool of a database, and its queries.
var (
	DBPoolMaxConnections = define(Definition{
		Name: "db_pool_max_connections", Type: Gauge, Feature: Database, Labels: []string{"database"},
		Help: "Connections the pool may open.",
	})
	DBPoolOpenConnections = define(Definition{
		Name: "db_pool_open_connections", Type: Gauge, Feature: Database, Labels: []string{"database"},
		Help: "Connections open, in use or idle.",
	})
	DBPoolUsedConnections = define(Definition{
		Name: "db_pool_used_connections", Type: Gauge, Feature: Database, Labels: []string{"database"},
		Help: "Connections in use.",
	})
	DBPoolIdleConnections = define(Definition{
		Name: "db_pool_idle_connections", Type: Gauge, Feature: Database, Labels: []string{"database"},
		Help: "Connections open and unused.",
	})
	DBPoolWaits = define(Definition{
		Name: "db_pool_waits_total", Type: Counter, Feature: Database, Labels: []string{"database"},
		Help: "Times a connection had to be waited for.",
	})
	DBPoolWaitSeconds = define(Definition{
		Name: "db_pool_wait_seconds_total", Type: Counter, Feature: Database, Labels: []string{"database"},
		Help: "Time spent waiting for a connection.",
	})
	DBQueryDuration = define(Definition{
		Name: "db_query_duration_seconds", Type: Histogram, Feature: Database, Labels: []string{"database", "operation", "outcome"},
		Help:    "How long queries took.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	})
)

// CacheCommandDuration is of commands to Redis.
var CacheCommandDuration = define(Definition{
	Name: "cache_command_duration_seconds", Type: Histogram, Feature: Cache, Labels: []string{"command", "status"},
	Help:    "Time of commands to Redis by command and status: ok, miss or error.",
	Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
})

var eventDurations = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Events on Kafka.
var (
	EventsPublished = define(Definition{
		Name: "events_published_total", Type: Counter, Feature: Publishes, Labels: []string{"type", "outcome"},
		Help: "Events handed to Kafka, by outcome: ok, refused, failed.",
	})
	EventPublishDuration = define(Definition{
		Name: "event_publish_duration_seconds", Type: Histogram, Feature: Publishes,
		Help: "How long Kafka took to have published events safe.", Buckets: eventDurations,
	})
	EventsConsumed = define(Definition{
		Name: "events_consumed_total", Type: Counter, Feature: Consumes, Labels: []string{"type", "outcome"},
		Help: "Events taken from Kafka, by outcome: ok, or dead for dead-lettered.",
	})
	EventRetries = define(Definition{
		Name: "event_retries_total", Type: Counter, Feature: Consumes, Labels: []string{"type"},
		Help: "Attempts to handle an event that failed and were followed by another.",
	})
	EventHandlerDuration = define(Definition{
		Name: "event_handler_duration_seconds", Type: Histogram, Feature: Consumes, Labels: []string{"type", "outcome"},
		Help: "How long one attempt to handle an event took.", Buckets: eventDurations,
	})
	EventConsumerLag = define(Definition{
		Name: "event_consumer_lag", Type: Gauge, Feature: Consumes, Labels: []string{"topic", "partition"},
		Help: "Events that this process has yet to handle in the partitions it holds.",
	})
)

// The outbox. Its gauges are the same in every process of the service: take their maximum.
var (
	OutboxPending = define(Definition{
		Name: "outbox_pending", Type: Gauge, Feature: Outbox, Sharded: true,
		Help: "Events that are stored and not yet published, without dead ones.",
	})
	OutboxDead = define(Definition{
		Name: "outbox_dead", Type: Gauge, Feature: Outbox, Sharded: true,
		Help: "Events that were refused too often; each holds up its key until it is redriven or discarded.",
	})
	OutboxOldestAge = define(Definition{
		Name: "outbox_oldest_age_seconds", Type: Gauge, Feature: Outbox, Sharded: true,
		Help: "Age of the oldest pending event that is not dead; 0 when there is none.",
	})
	OutboxPublished = define(Definition{
		Name: "outbox_published_total", Type: Counter, Feature: Outbox, Sharded: true,
		Help: "Events published by this process's relay.",
	})
	OutboxRefused = define(Definition{
		Name: "outbox_refused_total", Type: Counter, Feature: Outbox, Sharded: true,
		Help: "Refusals of events by the broker, as this process's relay met them.",
	})
	OutboxDelay = define(Definition{
		Name: "outbox_delay_seconds", Type: Histogram, Feature: Outbox, Sharded: true,
		Help:    "From an event's append until it is published.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	})
)

// IdempotencyRequests is of requests with an Idempotency-Key.
var IdempotencyRequests = define(Definition{
	Name: "idempotency_requests_total", Type: Counter, Feature: Idempotency, Labels: []string{"operation", "outcome"},
	Help: "Requests to operations that take an Idempotency-Key, by operation and outcome: executed, replayed, mismatched, in_progress, " +
		"refused, taken_over or failed.",
})

// Shards, and the moves of their partitions.
var (
	ShardRedirects = define(Definition{
		Name: "shard_redirects_total", Type: Counter, Feature: Shard,
		Help: "Reads and writes that found their partition elsewhere, or on its way.",
	})
	ShardCopiedKeys = define(Definition{
		Name: "shard_copied_keys_total", Type: Counter, Feature: Shard,
		Help: "Keys copied by moves; one that was written meanwhile counts again.",
	})
	ShardMoves = define(Definition{
		Name: "shard_moves_total", Type: Counter, Feature: Shard, Labels: []string{"outcome"},
		Help: "Moves of partitions that were done, or failed and wait to be resumed.",
	})
	ShardGatherFailures = define(Definition{
		Name: "shard_gather_failures_total", Type: Counter, Feature: Shard, Labels: []string{"shard"},
		Help: "Shards that did not answer a gather.",
	})
	ShardFreeze = define(Definition{
		Name: "shard_freeze_seconds", Type: Histogram, Feature: Shard,
		Help:    "How long moves kept the writes of their partition waiting.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
	})
)

// Sagas. The gauge is the same in every process of the service: take its maximum.
var (
	SagaInstances = define(Definition{
		Name: "saga_instances", Type: Gauge, Feature: Saga, Labels: []string{"saga", "state"},
		Help: "Sagas that are not finished, by state: running, compensating, parked; a parked one waits for a person.",
	})
	SagaDuration = define(Definition{
		Name: "saga_duration_seconds", Type: Histogram, Feature: Saga, Labels: []string{"saga", "outcome"},
		Help:    "From a saga's start to its end, by outcome: completed, compensated.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	})
	SagaStepFailures = define(Definition{
		Name: "saga_step_failures_total", Type: Counter, Feature: Saga, Labels: []string{"saga", "step", "action", "kind"},
		Help: "Failed attempts, by action (do, undo, done) and kind: transient, permanent.",
	})
)

// Two-phase commit, of a coordinator and of participants. The gauges are the same in every process of the service: take their maximum.
var (
	TwoPhaseTransactions = define(Definition{
		Name: "twophase_transactions", Type: Gauge, Feature: TwoPhase, Labels: []string{"coordinator", "state"},
		Help: "Transactions that are not finished, by state: preparing, committing, aborting.",
	})
	TwoPhaseUntoldAge = define(Definition{
		Name: "twophase_untold_age_seconds", Type: Gauge, Feature: TwoPhase, Labels: []string{"coordinator"},
		Help: "Age of the oldest decision that not all participants have confirmed; 0 when there is none.",
	})
	TwoPhaseInDoubt = define(Definition{
		Name: "twophase_in_doubt", Type: Gauge, Feature: TwoPhase, Labels: []string{"participant"},
		Help: "Transactions that a participant has had prepared for longer than Options.InDoubt.",
	})
	TwoPhaseDecisions = define(Definition{
		Name: "twophase_decisions_total", Type: Counter, Feature: TwoPhase, Labels: []string{"coordinator", "decision"},
		Help: "Decisions made by this process: commit, abort.",
	})
	TwoPhaseCallFailures = define(Definition{
		Name: "twophase_call_failures_total", Type: Counter, Feature: TwoPhase, Labels: []string{"coordinator", "participant", "phase"},
		Help: "Calls of participants that failed, votes of no included, by phase: prepare, commit, abort.",
	})
	TwoPhaseDuration = define(Definition{
		Name: "twophase_duration_seconds", Type: Histogram, Feature: TwoPhase, Labels: []string{"coordinator", "outcome"},
		Help:    "From Begin until all participants have confirmed, by outcome: committed, aborted.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	})
)

// Event stores and their projections. The gauges are the same in every process of the service: take their maximum.
var (
	EventStoreAppended = define(Definition{
		Name: "eventstore_appended_total", Type: Counter, Feature: EventStore,
		Help: "Events appended by this process.",
	})
	EventStoreConflicts = define(Definition{
		Name: "eventstore_conflicts_total", Type: Counter, Feature: EventStore,
		Help: "Appends of this process that were refused, since the stream had another version.",
	})
	EventStoreSnapshots = define(Definition{
		Name: "eventstore_snapshots_total", Type: Counter, Feature: EventStore, Labels: []string{"outcome"},
		Help: "Snapshots that were kept, ignored since they were not sound, or failed to be kept.",
	})
	ProjectionHandled = define(Definition{
		Name: "eventstore_projection_handled_total", Type: Counter, Feature: EventStore, Labels: []string{"projection"},
		Help: "Events handled by this process.",
	})
	ProjectionFailures = define(Definition{
		Name: "eventstore_projection_failures_total", Type: Counter, Feature: EventStore, Labels: []string{"projection"},
		Help: "Failures to handle an event, as this process met them.",
	})
	ProjectionLagEvents = define(Definition{
		Name: "eventstore_projection_lag_events", Type: Gauge, Feature: EventStore, Labels: []string{"projection", "state"},
		Help: "Events that the projection's live or building generation has not handled.",
	})
	ProjectionLagSeconds = define(Definition{
		Name: "eventstore_projection_lag_seconds", Type: Gauge, Feature: EventStore, Labels: []string{"projection", "state"},
		Help: "Age of the oldest event that it has not handled; 0 when there is none.",
	})
	ProjectionFailing = define(Definition{
		Name: "eventstore_projection_failing", Type: Gauge, Feature: EventStore, Labels: []string{"projection", "state"},
		Help: "1 when it stands still at an event that it cannot handle: mend it or skip the event.",
	})
)

// RateLimitRequests is of requests that a limit has counted.
var RateLimitRequests = define(Definition{
	Name: "ratelimit_requests_total", Type: Counter, Feature: RateLimit, Labels: []string{"limit", "outcome"},
	Help: "Requests by limit and outcome: allowed; refused, beyond the limit; unlimited or unavailable, let through or refused while the " +
		"limiter did not answer.",
})

// The file of feature flags.
var (
	FlagReloads = define(Definition{
		Name: "flag_reloads_total", Type: Counter, Feature: Flags, Labels: []string{"result"},
		Help: "Changes of the file of flags by result: ok, or error when the old one stayed in force.",
	})
	FlagFileStale = define(Definition{
		Name: "flag_file_stale", Type: Gauge, Feature: Flags,
		Help: "1 while the file of flags cannot be used and what was read before is in force, else 0.",
	})
)

var all []Definition

func define(d Definition) Definition {
	all = append(all, d)
	return d
}

// All gives every definition.
func All() []Definition { return slices.Clone(all) }

// Of gives the definitions of the metrics that a service with these features has; those that every service has are among them.
func Of(features ...Feature) []Definition {
	return slices.DeleteFunc(All(), func(d Definition) bool { return d.Feature != Always && !slices.Contains(features, d.Feature) })
}
