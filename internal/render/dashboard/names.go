package dashboard

import "github.com/trellis-mesh/trellis/chassis/telemetry/metric"

// The chassis's metrics, by their definitions: a rename there is one here.
var (
	httpRequests    = metric.HTTPRequests.Name
	httpDuration    = metric.HTTPRequestDuration.Name
	httpConnections = metric.ActiveConnections.Name
	httpInFlight    = metric.HTTPRequestsInFlight.Name
	httpPanics      = metric.HTTPPanics.Name

	clientRequests      = metric.ClientRequests.Name
	clientDuration      = metric.ClientRequestDuration.Name
	clientRetries       = metric.ClientRetries.Name
	clientBreaker       = metric.ClientBreakerState.Name
	clientBulkhead      = metric.ClientBulkheadInUse.Name
	clientBulkheadLimit = metric.ClientBulkheadLimit.Name

	poolMax       = metric.DBPoolMaxConnections.Name
	poolUsed      = metric.DBPoolUsedConnections.Name
	poolWaited    = metric.DBPoolWaitSeconds.Name
	queryDuration = metric.DBQueryDuration.Name
	cacheDuration = metric.CacheCommandDuration.Name

	published       = metric.EventsPublished.Name
	publishDuration = metric.EventPublishDuration.Name
	consumed        = metric.EventsConsumed.Name
	eventRetries    = metric.EventRetries.Name
	handlerDuration = metric.EventHandlerDuration.Name
	consumerLag     = metric.EventConsumerLag.Name
	outboxPending   = metric.OutboxPending.Name
	outboxDead      = metric.OutboxDead.Name
	outboxOldest    = metric.OutboxOldestAge.Name
	outboxDelay     = metric.OutboxDelay.Name

	idempotent    = metric.IdempotencyRequests.Name
	sagaInstances = metric.SagaInstances.Name
	sagaDuration  = metric.SagaDuration.Name
	sagaFailures  = metric.SagaStepFailures.Name
	twoPhaseOpen  = metric.TwoPhaseTransactions.Name
	twoPhaseDoubt = metric.TwoPhaseInDoubt.Name
	projectionLag = metric.ProjectionLagSeconds.Name
)

// failed are the statuses that count as errors: what a service could not do, and 0, where the client got no answer at all.
const failed = "5..|0"

// What others count: Go's and Prometheus's client libraries, Prometheus, Jaeger, Envoy and Istio.
const (
	processCPU    = "process_cpu_seconds_total"
	processMemory = "process_resident_memory_bytes"
	goroutines    = "go_goroutines"

	spanCalls = "traces_span_metrics_calls_total"

	envoyHandshakes     = "envoy_cluster_ssl_handshake"
	envoyConnections    = "envoy_cluster_upstream_cx_total"
	envoyRetries        = "envoy_cluster_upstream_rq_retry"
	envoyRetriesHelped  = "envoy_cluster_upstream_rq_retry_success"
	envoyEjected        = "envoy_cluster_outlier_detection_ejections_active"
	envoyEjections      = "envoy_cluster_outlier_detection_ejections_enforced_total"
	envoyPoolOverflow   = "envoy_cluster_upstream_rq_pending_overflow"
	envoyPolicies       = "envoy_http_rbac"
	envoyCertificate    = "envoy_server_days_until_first_cert_expiring"
	envoyMemory         = "envoy_server_memory_allocated"
	istioRequests       = "istio_requests_total"
	istioDuration       = "istio_request_duration_milliseconds"
	istiodConvergence   = "pilot_proxy_convergence_time"
	istiodPushes        = "pilot_xds_pushes"
	istiodRejected      = "pilot_total_xds_rejects"
	istiodConnectedPods = "pilot_xds"
)
