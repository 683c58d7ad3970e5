// Package problem is how errors reach clients: RFC 9457 problem details, as application/problem+json.
//
// A use case returns a problem like any other error, and the edge of the program writes whatever error it gets:
//
//	return nil, problem.NotFound("order_not_found", "There is no such order.")
//	return nil, problem.Unavailable("payments_away", "Try again later.").WithCause(err)
//	…
//	problem.Write(w, r, err) // net/http
//	problem.Abort(c, err)    // gin
//
// The code is stable and for programs, the detail is for people. The request's id and its trace's id come along, so that a
// user has something to quote. An error that is no problem becomes a 500 (a passed deadline 504, a body beyond its limit
// 413) and shows nothing of itself; it is logged. Errors of other packages say which problem they are with a method
// Problem (Reporter).
//
// It is not for errors between the parts of a program: wrap those.
package problem
