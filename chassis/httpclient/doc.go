// Package httpclient makes the HTTP client for one callee: an ordinary *http.Client whose transport keeps a slow or
// broken callee from taking its caller down with it.
//
// A request passes these layers, outermost first:
//
//   - metrics: one count and one duration a call, whatever happens below;
//   - deadline: Options.Timeout for the whole call, its retries and its body, or the caller's own deadline if that is
//     nearer;
//   - bulkhead: at most Options.Concurrency calls at once, each until its body is closed; beyond that [ErrBulkheadFull];
//   - retry: idempotent methods only, and only outside a mesh, since a mesh retries by itself and two layers of retries
//     multiply;
//   - breaker: refuses calls with [ErrOpen] while the callee mostly fails;
//   - per-try timeout, propagation of the trace, the request and correlation ids and the time left, of the caller's token
//     with Options.Forward, and a client span.
//
// Only the caller knows what a missing answer means to it, so there is no fallback here: look for the typed errors, or let
// them pass: they become 502, 503 and 504 problems by themselves.
//
// The package is not for downloads without an end or for proxying: a call has a deadline and its answer a size limit. It
// does not follow redirects either; a contract names the paths.
//
// The defaults of the retries (three attempts; 1 s × 2ⁿ up to 30 s with a jitter of 0.5 to 1.0) are those of the "retry with
// exponential backoff and jitter" pattern, see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
package httpclient
