// Package expect is consumer-driven contracts: each consumer writes down what it sends to a provider and what it reads of the answer, and
// nothing else. A provider may then change whatever nobody reads, and learns before the change is out whom it would break.
//
// The expectations of a consumer about a provider are one file of the consumer's, services/<consumer>/contracts/<provider>.yaml:
//
//	operations:
//	  getProduct:
//	    - when: there is the product tea
//	      path: {id: tea}
//	      status: 200
//	      reads: {id: string, name: string, price: {amount: string, currency: string}, (description): string}
//	    - when: there is no product
//	      path: {id: tea}
//	      status: 404
//	events:
//	  product.created.v1: {id: string}
//
// An exchange has a request (path, query, headers and body), the status of the answer and what is read of it. A type is string, time (a
// string that is a date and time), integer, number, boolean, {a field: its type}, [the type of its items], or the strings that the
// consumer knows, as in "yes | no". A field in parentheses may be missing.
//
// They are held against the provider twice: against its contract by Exchange.Check and Event.Check, for which nothing has to run; and, in the provider's
// own tests, against its handler, by package expecttest.
package expect

// File is what a consumer expects of a provider.
type File struct {
	// Path of the file, relative to the platform's root.
	Path string
	// Consumer and Provider are the services' names.
	Consumer, Provider string
	Operations         []Operation
	Events             []Event
}

// Operation is what is expected of an operation.
type Operation struct {
	ID        string
	Line      int
	Exchanges []Exchange
}

// Exchange is a request and what is read of its answer.
type Exchange struct {
	Line int
	// When is what has to be so for the answer to be this one; empty for whatever is.
	When   string
	Path   map[string]string
	Query  map[string]string
	Header map[string]string
	// Body is a JSON value as encoding/json reads it; nil for none.
	Body   any
	Status int
	// Reads is nil where nothing is read but the status.
	Reads *Shape
}

// Event is what is read of an event's data.
type Event struct {
	Type  string
	Line  int
	Reads *Shape
}

// The types of shapes.
const (
	String  = "string"
	Time    = "time"
	Integer = "integer"
	Number  = "number"
	Boolean = "boolean"
	Object  = "object"
	Array   = "array"
)

// Shape is the part of a JSON value that somebody reads.
type Shape struct {
	Line int
	Type string
	// Values are the only ones that the reader of a string knows; none when it takes any.
	Values []string
	// Fields of an object that are read.
	Fields []Field
	// Items of an array.
	Items *Shape
}

// Field is a part of an object.
type Field struct {
	Name     string
	Optional bool // the reader does without
	*Shape
}
