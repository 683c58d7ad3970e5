package httpserver

import (
	"errors"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// A hostile body may be wrong in a hundred thousand places, under names of any length.
const (
	maxFaults     = 50
	maxFaultText  = 200
	maxSchemaPath = 256
)

// parameterFaults are a parameter's faults. None shows the value.
func parameterFaults(p *openapi3.Parameter, err error) []problem.FieldError {
	return collect(err, problem.FieldError{In: p.In, Name: p.Name})
}

// bodyFaults are a body's faults.
func bodyFaults(err error) []problem.FieldError {
	return collect(err, problem.FieldError{In: "body"})
}

// formProblem tells a form that cannot be read from one that breaks the schema.
func formProblem(err error) error {
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		return problem.Invalid("invalid_body", "The form is not as the contract says.", bodyFaults(err)...)
	}
	return problem.BadRequest("malformed_body", "The form cannot be read.").WithErrors(bodyFaults(err)...).WithCause(err)
}

// collect flattens kin-openapi's tree of errors.
func collect(err error, at problem.FieldError) []problem.FieldError {
	var faults []problem.FieldError
	var walk func(error)
	walk = func(err error) {
		if len(faults) == maxFaults {
			return
		}
		var many openapi3.MultiError
		switch e := err.(type) { //nolint:errorlint // each level is walked by itself
		case openapi3.MultiError:
			for _, one := range e {
				walk(one)
			}
		case *openapi3filter.RequestError:
			if e.Err == nil {
				faults = append(faults, with(at, nil, e.Reason))
				return
			}
			walk(e.Err)
		case *openapi3.SchemaError:
			if e.SchemaField == "allOf" && errors.As(e.Origin, &many) {
				walk(many)
				return
			}
			faults = append(faults, with(at, e.JSONPointer(), reason(e)))
		case *openapi3filter.ParseError:
			faults = append(faults, with(at, nil, parseReason(e)))
		default:
			faults = append(faults, with(at, nil, known(err)))
		}
	}
	walk(err)
	return faults
}

func with(at problem.FieldError, path []string, detail string) problem.FieldError {
	at.Pointer, at.Detail = pointer(path), shorten(detail, maxFaultText)
	return at
}

func reason(e *openapi3.SchemaError) string {
	if must := errors.Unwrap(e.Origin); e.SchemaField == "format" && must != nil {
		return must.Error() // without the text that kin-openapi puts before it
	}
	if e.Reason == "" {
		return "is not as the contract says"
	}
	return e.Reason
}

// parseReason is a parse error's reason without its value.
func parseReason(e *openapi3filter.ParseError) string {
	for {
		inner, ok := e.Cause.(*openapi3filter.ParseError) //nolint:errorlint // the chain is of this type alone
		if !ok {
			break
		}
		e = inner
	}
	if e.Reason == "" {
		return "cannot be read"
	}
	return e.Reason
}

// known passes on the messages that cannot hold a value.
func known(err error) string {
	for _, one := range []error{openapi3filter.ErrInvalidRequired, openapi3filter.ErrInvalidEmptyValue} {
		if errors.Is(err, one) {
			return one.Error()
		}
	}
	return "cannot be read"
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is a path as a JSON Pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, key := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(key))
	}
	return shorten(b.String(), maxSchemaPath)
}

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
