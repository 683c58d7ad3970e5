// Package fault fails requests on purpose, to show that callers bear it: it delays, answers with an error, or closes the
// connection, for a share of the requests to some or all operations.
//
// A rule is set over HTTP, on the admin port only:
//
//	PUT /fault {"delay":"200ms","error":503,"share":0.05,"operations":["getOrder"]}
//	GET /fault
//	DELETE /fault
//
// The HTTP server applies it to the API's operations, before validation and handlers and within metrics, logs and traces.
// Health and metrics never fail. Without a rule a request pays for one atomic load.
//
// It is not for faults between services, which the mesh injects, and not for tests of a single function.
package fault
