package contractfuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3filter"
)

// largest is the largest answer that is looked at.
const largest = 8 << 20

// internals are what no client may see: places in code, and databases' own words.
var internals = regexp.MustCompile(`\w\.go:\d+|goroutine \d+ \[|SQLSTATE|sqlite|SQL logic error|runtime error|127\.0\.0\.1:\d+`)

// check holds an answer against the contract.
func (r *call) check(req *http.Request, resp *http.Response, asked bool) (body []byte, err error) {
	body, err = io.ReadAll(io.LimitReader(resp.Body, largest))
	if err != nil {
		return nil, fmt.Errorf("the answer breaks off: %w", err)
	}
	status := resp.StatusCode
	switch {
	case status < 500, r.op.declares(status):
	case unwritten(status, body):
	case asked && (status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout):
	default:
		return body, fmt.Errorf("status %d", status)
	}
	if found := internals.Find(body); found != nil && status >= 400 && !strings.Contains(r.body+r.url, string(found)) {
		return body, fmt.Errorf("it shows %q", found)
	}
	if r.astray && (status < 400 || status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		return body, nil // the router's
	}
	return body, r.conforms(req, resp, body)
}

func (r *call) conforms(req *http.Request, resp *http.Response, body []byte) error {
	options := &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true}
	// Other media than JSON have no schema worth the name, and no decoder.
	options.ExcludeResponseBody = !strings.Contains(resp.Header.Get("Content-Type"), "json")
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: r.op.route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	}
	err := openapi3filter.ValidateResponse(context.Background(), input)
	if err != nil && resp.StatusCode < 500 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		// What is refused before the operation has begun is told by the default answer, though the operation has another of this status.
		input.Status, input.Body = 0, io.NopCloser(bytes.NewReader(body))
		err = openapi3filter.ValidateResponse(context.Background(), input)
	}
	if err != nil {
		return fmt.Errorf("it is not as the contract says: %w", err)
	}
	if !options.ExcludeResponseBody {
		return nil
	}
	response := r.op.Responses.Status(resp.StatusCode)
	if response == nil {
		response = r.op.Responses.Default()
	}
	if media := resp.Header.Get("Content-Type"); len(response.Value.Content) > 0 && response.Value.Content.Get(media) == nil {
		return fmt.Errorf("it is not as the contract says: the contract has no answer of %q", media)
	}
	return nil
}

// unwritten reports whether the answer is that of an operation that the generator has made and nobody has filled in.
func unwritten(status int, body []byte) bool {
	return status == http.StatusNotImplemented && codeOf(body) == "not_implemented"
}

// codeOf is the code of a problem; "" of anything else.
func codeOf(body []byte) string {
	var problem struct{ Code string }
	_ = json.Unmarshal(body, &problem) // what is no problem has no code
	return problem.Code
}

// errRefused says that a flawless request did not pass the check of the contract.
var errRefused = errors.New("a request without a flaw is refused as one that breaks the contract")

// refusedByContract reports whether a request did not get past the check of the contract.
func refusedByContract(status int, body []byte) bool {
	code := codeOf(body)
	switch code {
	case "invalid_parameters", "invalid_body", "malformed_body", "body_required", "unsupported_media_type":
		return true
	}
	return status == http.StatusUnauthorized || status == http.StatusForbidden && code == "insufficient_scope"
}

// idsOf gives the ids in an answer: short texts whose name says so.
func idsOf(body []byte) []string {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil
	}
	var ids []string
	var walk func(name string, value any, depth int)
	walk = func(name string, value any, depth int) {
		if len(ids) > 16 || depth > maxDepth {
			return
		}
		switch v := value.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if name != "id" {
					walk(name, v[name], depth+1)
				}
			}
			walk("id", v["id"], depth+1) // the latest is taken first
		case []any:
			for _, value := range v {
				walk(name, value, depth+1)
			}
		case string:
			if isID(name) && v != "" && len(v) <= 64 && name != "requestId" && name != "traceId" {
				ids = append(ids, v)
			}
		}
	}
	walk("", value, 0)
	return ids
}
