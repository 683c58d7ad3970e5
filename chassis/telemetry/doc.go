// Package telemetry gives a program its logs, traces and metrics, joined by ids.
//
//	tel, err := telemetry.New(ctx, telemetry.Options{Service: "orders", Endpoint: "http://collector:4318", Ratio: 0.1})
//	…
//	tel.Log.InfoContext(ctx, "order taken", slog.String("order", id))
//	ctx, span := tel.Tracer("orders").Start(ctx, "reserve stock")
//	tel.Registry.MustRegister(taken)
//	…
//	err = tel.Shutdown(ctx)
//
// Logs are slog's, one JSON object a line, with trace_id, span_id, request_id and correlation_id from the context. What
// must not be seen is replaced before it is written: the values of keys such as authorization, password or card_number,
// also within structs and maps, and card numbers, tokens and passwords within texts. The level changes while the program
// runs. Given a collector, the same records go there over OTLP, in batches that no request waits for.
//
// Traces are OpenTelemetry's, sent over OTLP/HTTP in batches. A caller's decision to record a trace is followed; of the
// traces that begin here a share is recorded. Context travels as W3C traceparent, tracestate and baggage.
//
// Metrics are Prometheus's, with the trace as exemplar where there is one (Observe, Count).
//
// It is not a collector and keeps nothing on disk. Nothing is global unless Install is called.
package telemetry
