package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// validate refuses a request that is not as the contract says: 400 for parameters and for what cannot be read, 415 for a
// media type that the operation does not take, 422 for a body that can be read but breaks the schema. gin has matched the
// route, so there is no second routing.
func (s *Server) validate(c *gin.Context) {
	r, _ := c.Request.Context().Value(requestKey{}).(*request)
	if r == nil {
		return
	}
	if nulInURL(c.Request.URL) {
		problem.Abort(c, errNULParameter)
		return
	}
	if r.op.contract == nil {
		return
	}
	if err := r.op.contract.check(c); err != nil {
		problem.Abort(c, err)
	}
}

func (o *contractOperation) check(c *gin.Context) error {
	if len(o.parameters) > 0 {
		if err := o.checkParameters(c); err != nil {
			return err
		}
	}
	if o.body != nil {
		return o.checkBody(c.Request)
	}
	return nil
}

func (o *contractOperation) checkParameters(c *gin.Context) error {
	var input *openapi3filter.RequestValidationInput
	var faults []problem.FieldError
	for i := range o.parameters {
		p := &o.parameters[i]
		if p.absent != nil && p.absent(c.Request) || p.accept != nil && p.accept.acceptsSegment(c.Param(p.parameter.Name)) {
			continue
		}
		if input == nil {
			input = o.input(c)
		}
		if err := openapi3filter.ValidateParameter(c.Request.Context(), input, p.parameter); err != nil {
			faults = append(faults, parameterFaults(p.parameter, err)...)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return problem.BadRequest("invalid_parameters", "The request's parameters are not as the contract says.").WithErrors(faults...)
}

func (o *contractOperation) input(c *gin.Context) *openapi3filter.RequestValidationInput {
	input := &openapi3filter.RequestValidationInput{Request: c.Request, Route: o.match, Options: o.filter}
	if o.pathNeeded {
		input.PathParams = make(map[string]string, len(c.Params))
		for _, p := range c.Params {
			input.PathParams[p.Key] = p.Value
		}
	}
	return input
}

func (o *contractOperation) checkBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return o.body.missing()
	}
	contentType := first(r.Header["Content-Type"])
	media := o.body.find(contentType)
	if media == nil {
		return o.body.unsupported(contentType)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" && (media.json || media.form) {
		return problem.New(http.StatusUnsupportedMediaType, "unsupported_content_encoding", "Send the body without Content-Encoding.")
	}
	switch {
	case media.json:
		return o.body.checkJSON(r, media)
	case media.form:
		return o.checkForm(r)
	}
	return nil
}

// checkForm leaves the form for the handler, without the query that http.Request.ParseForm would put among its fields:
// nobody has checked that as a part of the form, and what stands in a URL is no secret.
func (o *contractOperation) checkForm(r *http.Request) error {
	data, err := readBody(r)
	if err != nil {
		return err
	}
	if nulInForm(data) {
		return errNULBody
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	input := &openapi3filter.RequestValidationInput{Request: r, Route: o.match, Options: o.filter}
	if err := openapi3filter.ValidateRequestBody(r.Context(), input, o.match.Operation.RequestBody.Value); err != nil {
		return formProblem(err)
	}
	if r.PostForm, err = url.ParseQuery(string(data)); err != nil {
		return formProblem(err)
	}
	r.Form = r.PostForm
	return nil
}

func (b *bodyCheck) missing() error {
	if !b.required {
		return nil
	}
	return problem.BadRequest("body_required", "The request needs a body.")
}

func (b *bodyCheck) unsupported(contentType string) error {
	known := make([]string, 0, len(b.content))
	for name := range b.content {
		known = append(known, name)
	}
	slices.Sort(known)
	detail := fmt.Sprintf("The Content-Type is not one of %v.", known)
	if contentType == "" {
		detail = fmt.Sprintf("The Content-Type is missing; it must be one of %v.", known)
	}
	return problem.New(http.StatusUnsupportedMediaType, "unsupported_media_type", detail)
}

// checkJSON decodes the body once, checks the value, and leaves both the bytes and the value for the handler: a generated
// handler takes the value, so that it sees exactly what was checked.
func (b *bodyCheck) checkJSON(r *http.Request, media *mediaCheck) error {
	data, err := readBody(r)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		r.Body = http.NoBody
		return b.missing()
	}
	value, err := decodeJSON(data)
	if err != nil {
		return problem.BadRequest("malformed_body", "The body is no valid JSON: "+err.Error()+".")
	}
	if nulInJSON(data, value) {
		return errNULBody
	}
	if media.schema != nil && !media.accept.accepts(value) {
		options, filled := b.options, false
		if media.defaults {
			options = append(slices.Clip(options), openapi3.DefaultsSet(func() { filled = true }))
		}
		if err := media.schema.Value.VisitJSON(value, options...); err != nil {
			return problem.Invalid("invalid_body", "The body is not as the contract says.", bodyFaults(err)...)
		}
		if filled {
			if data, err = json.Marshal(value); err != nil {
				return fmt.Errorf("encode the body with its defaults: %w", err)
			}
			r.ContentLength = int64(len(data))
		}
	}
	r.Body = &checkedBody{Reader: bytes.NewReader(data), value: value}
	return nil
}

// checkedBody is a body that has been read and checked.
type checkedBody struct {
	*bytes.Reader
	value any
}

// Close does nothing: the connection's own body has been read to its end.
func (*checkedBody) Close() error { return nil }

// ValidatedValue is asked for by the code that oapi-codegen generates.
func (b *checkedBody) ValidatedValue() any { return b.value }

// firstRead bounds what is set aside for a body on the word of its Content-Length alone.
const firstRead = 64 << 10

func readBody(r *http.Request) ([]byte, error) {
	var data []byte
	var err error
	if r.ContentLength >= 0 && r.ContentLength <= firstRead {
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, data)
	} else {
		data, err = io.ReadAll(r.Body)
	}
	if err == nil {
		return data, nil
	}
	return nil, bodyError(err)
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(http.StatusRequestTimeout, "body_timeout", "The body did not arrive in time.").WithCause(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return problem.BadRequest("incomplete_body", "The body ended before its announced length.").WithCause(err)
	}
	return problem.BadRequest("unreadable_body", "The body could not be read.").WithCause(err)
}

// decodeJSON decodes one JSON value and nothing after it. Numbers keep their digits.
func decodeJSON(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%w at byte %d", err, syntax.Offset)
		}
		return nil, err
	}
	if rest := bytes.TrimLeft(data[decoder.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("something follows the value at byte %d", len(data)-len(rest)+1)
	}
	return value, nil
}
