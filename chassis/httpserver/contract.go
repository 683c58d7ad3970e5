package httpserver

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// contractOperation is one operation of the contract, prepared for checking requests against it.
type contractOperation struct {
	id, method, route string
	// timeout and bodyLimit are the extensions x-timeout and x-body-limit; 0 when absent, -1 for a body without limit.
	timeout   time.Duration
	bodyLimit int64
	// stream is the extension x-stream; nil when absent.
	stream *streaming
	// security are the alternatives of which one is needed, each as its scopes; nil when anybody may.
	security [][]string

	filter     *openapi3filter.Options
	match      *routers.Route
	parameters []parameterCheck
	pathNeeded bool // a path parameter is among them
	body       *bodyCheck
}

// checks is the operation itself, or nil when there is nothing to check.
func (o *contractOperation) checks() *contractOperation {
	if len(o.parameters) == 0 && o.body == nil {
		return nil
	}
	return o
}

// loadContract reads the OpenAPI document and prepares its operations.
func loadContract(opt Options) ([]*contractOperation, error) {
	if len(opt.Contract) == 0 {
		return nil, nil
	}
	doc, err := openapi3.NewLoader().LoadFromData(opt.Contract)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	var prepared []*contractOperation
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			o, err := prepareOperation(doc, path, item, method, operation)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			prepared = append(prepared, o)
		}
	}
	return prepared, nil
}

func prepareOperation(doc *openapi3.T, path string, item *openapi3.PathItem, method string, op *openapi3.Operation) (*contractOperation, error) {
	o := &contractOperation{id: op.OperationID, method: method, route: ginPath(path)}
	if o.id == "" {
		o.id = o.route
	}
	if err := o.readExtensions(op); err != nil {
		return nil, err
	}
	var err error
	if o.security, err = securityOf(doc, op); err != nil {
		return nil, err
	}
	o.filter = &openapi3filter.Options{MultiError: true, SchemaValidationOptions: schemaOptions(doc)}
	o.match = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}
	for _, p := range allParameters(item, op) {
		if check, needed := newParameterCheck(doc, p); needed {
			o.parameters = append(o.parameters, check)
			o.pathNeeded = o.pathNeeded || p.In == openapi3.ParameterInPath
		}
	}
	if op.RequestBody != nil && op.RequestBody.Value != nil {
		o.body = newBodyCheck(doc, op.RequestBody.Value)
	}
	return o, nil
}

// readExtensions reads x-timeout, a duration; x-body-limit, a number of bytes or -1 for none; and x-stream.
func (o *contractOperation) readExtensions(op *openapi3.Operation) error {
	if value, ok := op.Extensions["x-timeout"]; ok {
		text, _ := value.(string)
		timeout, err := time.ParseDuration(text)
		if err != nil || timeout <= 0 {
			return fmt.Errorf("x-timeout is %v; give a duration like 90s", value)
		}
		o.timeout = timeout
	}
	if value, ok := op.Extensions["x-body-limit"]; ok {
		limit, isNumber := value.(float64)
		if !isNumber || limit != float64(int64(limit)) || limit < -1 || limit == 0 {
			return fmt.Errorf("x-body-limit is %v; give a number of bytes, or -1 for no limit", value)
		}
		o.bodyLimit = int64(limit)
	}
	if value, ok := op.Extensions["x-stream"]; ok {
		var err error
		o.stream, err = readStreaming(value)
		return err
	}
	return nil
}

// allParameters are the operation's and those of its path that it does not replace.
func allParameters(item *openapi3.PathItem, op *openapi3.Operation) []*openapi3.Parameter {
	var all []*openapi3.Parameter
	for _, ref := range item.Parameters {
		if op.Parameters.GetByInAndName(ref.Value.In, ref.Value.Name) == nil {
			all = append(all, ref.Value)
		}
	}
	for _, ref := range op.Parameters {
		all = append(all, ref.Value)
	}
	return all
}

var pathParameter = regexp.MustCompile(`\{[.;?]?([^{}*]+)\*?\}`)

// ginPath is a contract's path as oapi-codegen registers it with gin: /v1/greetings/{id} is /v1/greetings/:id.
func ginPath(path string) string {
	return pathParameter.ReplaceAllString(strings.ReplaceAll(path, ":", `\:`), ":$1")
}

// undeclared gives the contract's operations that no route serves.
func undeclared(operations map[routeKey]*operation, served map[routeKey]bool) []string {
	var missing []string
	for key, op := range operations {
		if !served[key] {
			missing = append(missing, op.id)
		}
	}
	slices.Sort(missing)
	return missing
}

// parameterCheck is a parameter that a request can get wrong.
type parameterCheck struct {
	parameter *openapi3.Parameter
	// absent reports whether the request cannot have it, so that an optional one without a default needs no further look.
	absent func(r *http.Request) bool
	// accept says yes to the text of a path segment that is surely right; nil for other parameters.
	accept *acceptor
}

// newParameterCheck tells whether a parameter needs checking at all: a path segment that may be any text is right as soon
// as the route matches.
func newParameterCheck(doc *openapi3.T, p *openapi3.Parameter) (check parameterCheck, needed bool) {
	var schema *openapi3.Schema
	if p.Schema != nil {
		schema = p.Schema.Value
	}
	if p.In == openapi3.ParameterInPath && schema != nil && anyText(schema) && simple(p) {
		return parameterCheck{}, false
	}
	check.parameter = p
	if p.In == openapi3.ParameterInPath && schema != nil && schema.Type.Is("string") && simple(p) && !doc.IsOpenAPI31OrLater() {
		check.accept = newAcceptor(p.Schema, map[*openapi3.Schema]*acceptor{})
	}
	if p.Required || schema == nil || hasDefault(p.Schema, nil) {
		return check, true
	}
	switch name := http.CanonicalHeaderKey(p.Name); p.In {
	case openapi3.ParameterInQuery:
		check.absent = func(r *http.Request) bool { return r.URL.RawQuery == "" }
	case openapi3.ParameterInHeader:
		check.absent = func(r *http.Request) bool { return r.Header[name] == nil }
	case openapi3.ParameterInCookie:
		check.absent = func(r *http.Request) bool { return r.Header["Cookie"] == nil }
	}
	return check, true
}

// simple reports whether a path segment is the parameter's value and nothing else.
func simple(p *openapi3.Parameter) bool {
	return p.Style == "" || p.Style == openapi3.SerializationSimple
}

// anyText reports whether a schema allows every text of at least one character.
func anyText(s *openapi3.Schema) bool {
	return s.Type.Is("string") && s.Format == "" && s.Pattern == "" && s.MinLength <= 1 && s.MaxLength == nil && len(s.Enum) == 0 &&
		len(s.AllOf) == 0 && len(s.AnyOf) == 0 && len(s.OneOf) == 0 && s.Not == nil && s.Const == nil
}

// hasDefault reports whether checking a value against the schema may fill in a default.
func hasDefault(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) bool {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return false
	}
	s := ref.Value
	if s.Default != nil {
		return true
	}
	if seen == nil {
		seen = map[*openapi3.Schema]bool{}
	}
	seen[s] = true
	parts := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, openapi3.SchemaRefs{s.Items, s.AdditionalProperties.Schema})
	for _, property := range s.Properties {
		parts = append(parts, property)
	}
	return slices.ContainsFunc(parts, func(part *openapi3.SchemaRef) bool { return hasDefault(part, seen) })
}

// bodyCheck is a request body that the contract describes.
type bodyCheck struct {
	required bool
	content  openapi3.Content
	media    map[string]*mediaCheck // by the Content-Type as the contract writes it
	options  []openapi3.SchemaValidationOption
}

// mediaCheck is one media type of a body. JSON is decoded once, for the check and for the handler; a form is checked by
// kin-openapi; anything else streams to the handler unread.
type mediaCheck struct {
	schema   *openapi3.SchemaRef
	accept   *acceptor
	json     bool
	form     bool
	defaults bool
}

func newBodyCheck(doc *openapi3.T, body *openapi3.RequestBody) *bodyCheck {
	b := &bodyCheck{required: body.Required, content: body.Content, media: map[string]*mediaCheck{}}
	b.options = append([]openapi3.SchemaValidationOption{openapi3.VisitAsRequest(), openapi3.MultiErrors()}, schemaOptions(doc)...)
	if doc.IsOpenAPI31OrLater() {
		b.options = append(b.options, openapi3.EnableJSONSchema2020())
	}
	for name, media := range body.Content {
		b.media[name] = &mediaCheck{
			schema:   media.Schema,
			accept:   b.acceptor(doc, media.Schema),
			json:     isJSON(name),
			form:     mediaType(name) == "application/x-www-form-urlencoded",
			defaults: hasDefault(media.Schema, nil),
		}
	}
	return b
}

// acceptor compiles the schema. OpenAPI 3.1 checks by JSON Schema's rules, which are not the acceptor's.
func (b *bodyCheck) acceptor(doc *openapi3.T, schema *openapi3.SchemaRef) *acceptor {
	if doc.IsOpenAPI31OrLater() {
		return &acceptor{unsure: true}
	}
	return newAcceptor(schema, map[*openapi3.Schema]*acceptor{})
}

// find gives the check for a Content-Type; nil when the contract does not have it.
func (b *bodyCheck) find(contentType string) *mediaCheck {
	if media := b.media[contentType]; media != nil {
		return media
	}
	found := b.content.Get(contentType)
	if found == nil {
		return nil
	}
	for name, media := range b.content {
		if media == found {
			m := b.media[name]
			if strings.Contains(name, "*") {
				m = &mediaCheck{schema: m.schema, accept: m.accept, defaults: m.defaults, json: isJSON(contentType)}
			}
			return m
		}
	}
	return nil
}

func isJSON(contentType string) bool {
	name := mediaType(contentType)
	return name == "application/json" || strings.HasSuffix(name, "+json")
}

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(name))
}
