// Package contractfuzz looks for requests that a service cannot bear. It makes them of a fuzzer's bytes and of the service's own
// contract, right ones and ones with a flaw, sends them to the whole service, and holds every answer against the contract.
//
//	func FuzzRequests(f *testing.F) {
//		contractfuzz.Run(f, contractfuzz.Service{
//			Spec: spec, Wire: wire,
//			Callees: map[string][]byte{"legacy": legacyapi.Contract},
//		})
//	}
//
// The service runs as its program does: with its middleware, an SQLite database, an in-process Kafka and Redis, and tokens of
// somebody who may do everything. A callee is a server that answers as its contract says - and at times an error, a lie or
// nothing at all.
//
// An input is one to four requests. Its first byte is their number less one; the rest is shared out evenly, and each part is
// the choices of one request: the operation, what is wrong with the request, then value by value. Choices that are missing are 0,
// and 0 is always what the contract asks for: the input of no bytes is one request of the first operation with nothing wrong.
// A request can use the ids in the answers before it, so that what was created is read, changed and removed.
//
// An input fails when
//
//   - an answer is a 5xx that the operation does not declare, unless a callee was asked lately, which may make
//     it a 502, 503 or 504; the 501 of an operation that is not written yet is no fault;
//   - an answer is not as the contract says: its status, media type, headers or body;
//   - an answer does not come, or shows what is internal;
//   - the service logs a panic, ends, or leaves goroutines behind when it is stopped.
//
// It is not for what an answer means: that is the business of the service's own tests.
package contractfuzz
