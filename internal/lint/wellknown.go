package lint

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// targetLabels are those that Prometheus gives every series of a service's target.
var targetLabels = []string{"job", "instance", "service", "version", "pod", "namespace"}

// anyLabel stands for all labels, where it is not known which there are.
const anyLabel = "*"

var (
	istioLabels = []string{
		"reporter", "source_workload", "source_workload_namespace", "source_principal", "source_app", "source_version", "source_canonical_service",
		"source_canonical_revision", "source_cluster", "destination_workload", "destination_workload_namespace", "destination_principal",
		"destination_app", "destination_version", "destination_service", "destination_service_name", "destination_service_namespace",
		"destination_canonical_service", "destination_canonical_revision", "destination_cluster", "request_protocol", "response_code",
		"response_flags", "grpc_response_status", "connection_security_policy",
	}
	envoyLabels = []string{"cluster_name", "authz_enforce_result", "authz_dry_run_result", "response_code", "response_code_class", "listener_address", "http_conn_manager_prefix", "worker_id"}
	spanLabels  = []string{"service_name", "span_name", "span_kind", "status_code", "exported_job", "otel_scope_name"}
	alertLabels = []string{"alertname", "alertstate", "severity", "owner", "slo", "callee", "topic", "type", "saga", "participant", "coordinator", "projection"}
)

// known are the series that others than the services keep, of which the platform's dashboards and rules make use.
var known = []struct {
	names  []string
	kind   string
	labels []string
}{
	{[]string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added"}, "", nil},
	{[]string{"ALERTS", "ALERTS_FOR_STATE"}, "", alertLabels},
	{[]string{
		"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_start_time_seconds",
		"process_open_fds", "process_max_fds", "process_network_receive_bytes_total", "process_network_transmit_bytes_total",
	}, "", nil},
	{[]string{
		"istio_requests_total", "istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total", "istio_tcp_sent_bytes_total",
		"istio_tcp_received_bytes_total",
	}, "", istioLabels},
	{[]string{"istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"}, "histogram", istioLabels},
	{[]string{
		"envoy_cluster_upstream_rq_total", "envoy_cluster_upstream_rq_retry", "envoy_cluster_upstream_rq_retry_success",
		"envoy_cluster_upstream_rq_retry_overflow", "envoy_cluster_upstream_rq_pending_overflow", "envoy_cluster_upstream_rq_timeout",
		"envoy_cluster_upstream_cx_active", "envoy_cluster_upstream_cx_overflow", "envoy_cluster_upstream_rq_active",
		"envoy_cluster_outlier_detection_ejections_active", "envoy_cluster_outlier_detection_ejections_enforced_total",
		"envoy_cluster_circuit_breakers_default_rq_open", "envoy_cluster_circuit_breakers_default_cx_open", "envoy_cluster_membership_healthy",
		"envoy_cluster_membership_total", "envoy_http_rbac_allowed", "envoy_http_rbac_denied", "envoy_cluster_ssl_handshake",
		"envoy_cluster_ssl_connection_error", "envoy_cluster_upstream_cx_total", "envoy_http_rbac", "envoy_server_days_until_first_cert_expiring",
		"envoy_server_memory_allocated",
	}, "", envoyLabels},
	{[]string{"traces_span_metrics_calls_total", "calls_total"}, "", spanLabels},
	{[]string{"traces_span_metrics_duration_milliseconds", "traces_span_metrics_duration_seconds", "duration_milliseconds", "duration_seconds"}, "histogram", spanLabels},
	{[]string{"pilot_xds_pushes", "pilot_total_xds_rejects", "pilot_xds"}, "", []string{"type"}},
	{[]string{"pilot_proxy_convergence_time"}, "histogram", nil},
}

// wellKnown gives the labels of series that the services' definitions do not tell of.
var wellKnown = sync.OnceValue(func() map[string]labelSet {
	all := map[string]labelSet{}
	for _, k := range known {
		for _, name := range k.names {
			series(all, name, k.kind, k.labels)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	families, _ := registry.Gather() // the runtime's own collector does not fail
	for _, f := range families {
		all[f.GetName()] = setOf(targetLabels, []string{"quantile"})
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				all[f.GetName()][l.GetName()] = true
			}
		}
		if f.GetType() == dto.MetricType_SUMMARY {
			all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = all[f.GetName()], all[f.GetName()]
		}
	}
	return all
})
