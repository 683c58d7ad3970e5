// Package expecttest holds what consumers expect of a provider against the provider itself, in the provider's own tests.
//
//	func TestConsumersGetWhatTheyRead(t *testing.T) {
//		expecttest.Verify(t, "catalog", api.Contract, map[string]expecttest.State{
//			"there is the product tea": func(t *testing.T) expecttest.Service { … },
//		})
//	}
package expecttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/trellis-mesh/trellis/chassis/expect"
)

// State brings about what an exchange takes for granted (its when), in a service that no other exchange has touched.
type State = func(t *testing.T) Service

// Service is a provider in a state.
type Service struct {
	// Handler is its API.
	Handler http.Handler
	// Names replaces texts of requests where the state could not choose them, such as an id that the provider gives.
	Names map[string]string
}

// Verify sends each request that a consumer expects an answer to, and fails the test for each consumer that could not read it. The answers
// must be what the contract says, too, since that is what a consumer's expectations were held against at the desk. The states are by the
// exchanges' when; one that no exchange names is a failure, as an expectation is then not what it was.
func Verify(t *testing.T, provider string, contract []byte, states map[string]State) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	unused := maps.Clone(states)
	for _, file := range files(t, provider) {
		for _, operation := range file.Operations {
			route := find(doc, operation.ID)
			for _, exchange := range operation.Exchanges {
				delete(unused, exchange.When)
				t.Run(strings.Join([]string{file.Consumer, operation.ID, fmt.Sprint(exchange.Status), exchange.When}, " "), func(t *testing.T) {
					at := fmt.Sprintf("%s:%d", file.Path, exchange.Line)
					switch state, known := states[exchange.When]; {
					case route == nil:
						t.Errorf("%s: there is no operation %s, which %s calls", at, operation.ID, file.Consumer)
					case !known:
						t.Errorf("%s: %s expects something when %q, which this test does not know how to bring about", at, file.Consumer, exchange.When)
					default:
						if err := verify(t.Context(), state(t), route, exchange); err != nil {
							t.Errorf("%s: %s expects something else: %v", at, file.Consumer, err)
						}
					}
				})
			}
		}
	}
	for _, when := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("no consumer expects anything when %q", when)
	}
}

// VerifyEvents holds the data of events that the provider publishes, by type, against what consumers read of them. Each event that a
// consumer reads must be among them.
func VerifyEvents(t *testing.T, provider string, published map[string][]byte) {
	t.Helper()
	read := 0
	for _, file := range files(t, provider) {
		for _, event := range file.Events {
			read++
			at := fmt.Sprintf("%s:%d", file.Path, event.Line)
			data, ok := published[event.Type]
			if !ok {
				t.Errorf("%s: %s reads %s, which was not published", at, file.Consumer, event.Type)
				continue
			}
			for _, line := range event.Reads.Match(data) {
				t.Errorf("%s: %s cannot read %s: %s", at, file.Consumer, event.Type, line)
			}
		}
	}
	if read == 0 {
		t.Errorf("no consumer reads an event of %s", provider)
	}
}

// files are the expectations of all consumers about a provider.
func files(t *testing.T, provider string) []*expect.File {
	t.Helper()
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	pattern := path.Join("services", "*", "contracts", provider+".yaml")
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*expect.File, 0, len(paths))
	for _, name := range paths {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := expect.Parse(filepath.ToSlash(relative), raw)
		if err != nil {
			t.Fatalf("%s: %v", relative, err)
		}
		all = append(all, file)
	}
	if len(all) == 0 {
		t.Fatalf("nobody expects anything of %s: there is no %s", provider, pattern)
	}
	return all
}

// root is the platform's folder: the nearest one up from here that has a platform.yaml.
func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "platform.yaml")); missing == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("there is no platform.yaml in any folder up from here")
		}
		dir = up
	}
	return "", err
}

func find(doc *openapi3.T, id string) *routers.Route {
	for name, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == id {
				return &routers.Route{Spec: doc, Path: name, PathItem: item, Method: method, Operation: op}
			}
		}
	}
	return nil
}

// verify sends the exchange's request and tells what is wrong with the answer.
func verify(ctx context.Context, s Service, route *routers.Route, e expect.Exchange) error {
	r, err := request(ctx, s, route, e)
	if err != nil {
		return err
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	if w.Code != e.Status {
		return fmt.Errorf("%s %s is answered %d, not %d: %s", r.Method, r.URL, w.Code, e.Status, w.Body)
	}
	if e.Reads != nil {
		if lines := e.Reads.Match(w.Body.Bytes()); len(lines) > 0 {
			return fmt.Errorf("%s %s: %s; the answer is %s", r.Method, r.URL, strings.Join(lines, "; "), w.Body)
		}
	}
	media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	err = openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(w.Body),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !isJSON},
	})
	if err != nil {
		return fmt.Errorf("%s %s: the answer is not what the contract says: %w", r.Method, r.URL, err)
	}
	return nil
}

func request(ctx context.Context, s Service, route *routers.Route, e expect.Exchange) (*http.Request, error) {
	target := route.Path
	for name, value := range e.Path {
		target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(s.name(value)))
	}
	query := url.Values{}
	for name, value := range e.Query {
		query.Set(name, s.name(value))
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader = http.NoBody
	if e.Body != nil {
		raw, err := json.Marshal(s.rename(e.Body))
		if err != nil {
			return nil, fmt.Errorf("encode the body: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	r := httptest.NewRequestWithContext(ctx, route.Method, target, body)
	if e.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range e.Header {
		r.Header.Set(name, s.name(value))
	}
	return r, nil
}

func (s Service) name(text string) string {
	if given, ok := s.Names[text]; ok {
		return given
	}
	return text
}

// rename is a JSON value with the state's own names.
func (s Service) rename(value any) any {
	switch value := value.(type) {
	case string:
		return s.name(value)
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = s.rename(value[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(value))
		for key := range value {
			out[key] = s.rename(value[key])
		}
		return out
	}
	return value
}
