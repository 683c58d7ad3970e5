package httpserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const asJSON = "application/json"

func TestRequestsAreCheckedAgainstTheContract(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	const uuid = "/v1/greetings/0191f7a1-8a43-7cc0-8f52-8f2a4a9f0f11"
	for name, tt := range map[string]struct {
		method, target, body, contentType string
		status                            int
		code                              string
		faults                            []string
	}{
		"right":                      {"GET", "/v1/greetings/abc", "", "", 200, "", nil},
		"right query":                {"GET", "/v1/greetings?limit=5&after=2026-02-28", "", "", 200, "", nil},
		"right body":                 {"POST", "/v1/greetings", `{"name":"Ada"}`, asJSON, 201, "", nil},
		"charset":                    {"POST", "/v1/greetings", `{"name":"Ada"}`, "Application/JSON; charset=utf-8", 201, "", nil},
		"uuid v7":                    {"GET", uuid + "/lines/1", "", "", 204, "", nil},
		"no such path":               {"GET", "/v2/greetings", "", "", 404, "route_not_found", nil},
		"trailing slash":             {"GET", "/v1/greetings/", "", "", 404, "route_not_found", nil},
		"double slash":               {"GET", "//v1/greetings", "", "", 404, "route_not_found", nil},
		"no such method":             {"DELETE", "/v1/greetings", "", "", 405, "method_not_allowed", nil},
		"no number":                  {"GET", "/v1/greetings?limit=many", "", "", 400, "invalid_parameters", []string{"query limit: an invalid integer"}},
		"two faults":                 {"GET", "/v1/greetings?limit=0&after=2026-02-31", "", "", 400, "invalid_parameters", []string{"query limit: number must be at least 1", "query after: must be a date like 2006-01-02"}},
		"bad path":                   {"GET", "/v1/greetings/x/lines/0", "", "", 400, "invalid_parameters", []string{"path id: must be a UUID", "path line: number must be at least 1"}},
		"encoded slash":              {"GET", "/v1/greetings/a%2Fb", "", "", 404, "route_not_found", nil},
		"NUL in the path":            {"GET", "/v1/greetings/a%00b", "", "", 400, "invalid_parameters", nil},
		"NUL in the query":           {"GET", "/v1/greetings?after=%00", "", "", 400, "invalid_parameters", nil},
		"NUL in the body":            {"POST", "/v1/greetings", `{"name":"A\u0000a"}`, asJSON, 422, "invalid_body", nil},
		"NUL in a name":              {"POST", "/v1/greetings", `{"name":"Ada","\u0000":[1]}`, asJSON, 422, "invalid_body", nil},
		"a backslash before u0000":   {"POST", "/v1/greetings", `{"name":"A\\u0000a"}`, asJSON, 201, "", nil},
		"no body":                    {"POST", "/v1/greetings", "", asJSON, 400, "body_required", nil},
		"blank body":                 {"POST", "/v1/greetings", " \n", asJSON, 400, "malformed_body", nil},
		"optional body":              {"PUT", "/v1/greetings/abc", "", "", 204, "", nil},
		"optional body, wrong":       {"PUT", "/v1/greetings/abc", "{}", asJSON, 422, "invalid_body", []string{`body /name: property "name" is missing`}},
		"no content type":            {"POST", "/v1/greetings", `{"name":"Ada"}`, "", 415, "unsupported_media_type", nil},
		"other content type":         {"POST", "/v1/greetings", `name=Ada`, "application/x-www-form-urlencoded", 415, "unsupported_media_type", nil},
		"senseless content type":     {"POST", "/v1/greetings", `{"name":"Ada"}`, ";;;", 415, "unsupported_media_type", nil},
		"similar content type":       {"POST", "/v1/greetings", `{"name":"Ada"}`, "application/jsonx", 415, "unsupported_media_type", nil},
		"broken JSON":                {"POST", "/v1/greetings", `{"name":`, asJSON, 400, "malformed_body", nil},
		"something after it":         {"POST", "/v1/greetings", `{"name":"Ada"} {}`, asJSON, 400, "malformed_body", nil},
		"byte order mark":            {"POST", "/v1/greetings", "\ufeff" + `{"name":"Ada"}`, asJSON, 400, "malformed_body", nil},
		"null":                       {"POST", "/v1/greetings", `null`, asJSON, 422, "invalid_body", []string{"body : Value is not nullable"}},
		"wrong type":                 {"POST", "/v1/greetings", `[]`, asJSON, 422, "invalid_body", []string{"body : value must be an object"}},
		"nested fault":               {"POST", "/v1/greetings", `{"name":"Ada","replyTo":{"name":"Bob","tags":["a",""]}}`, asJSON, 422, "invalid_body", []string{"body /replyTo/tags/1: minimum string length is 1"}},
		"unknown member":             {"POST", "/v1/greetings", `{"name":"Ada","a/b~c":1}`, asJSON, 422, "invalid_body", []string{`body : property "a/b~c" is unsupported`}},
		"case of a member":           {"POST", "/v1/greetings", `{"name":"Ada","NAME":"Eve"}`, asJSON, 422, "invalid_body", []string{`body : property "NAME" is unsupported`}},
		"bad email":                  {"POST", "/v1/greetings", `{"name":"Ada","email":"ada"}`, asJSON, 422, "invalid_body", []string{"body /email: must be an e-mail address"}},
		"several faults":             {"POST", "/v1/greetings", `{"name":"","language":"fra"}`, asJSON, 422, "invalid_body", []string{`body /language: value is not one of the allowed values ["eng","deu"]`, "body /name: minimum string length is 1"}},
		"deep JSON":                  {"POST", "/v1/greetings", strings.Repeat(`{"replyTo":`, 20000) + "1" + strings.Repeat("}", 20000), asJSON, 400, "malformed_body", nil},
		"very deep array":            {"POST", "/v1/greetings", strings.Repeat("[", 500000), asJSON, 400, "malformed_body", nil},
		"too large":                  {"POST", "/v1/greetings", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, asJSON, 413, "body_too_large", nil},
		"within its own limit":       {"POST", "/v1/recordings", strings.Repeat("x", 4<<20), "application/octet-stream", 204, "", nil},
		"beyond its own limit":       {"POST", "/v1/recordings", strings.Repeat("x", 4<<20+1), "application/octet-stream", 413, "body_too_large", nil},
		"a body that nobody asked":   {"GET", "/v1/greetings/abc", `{{{`, asJSON, 200, "", nil},
		"a huge body nobody asked":   {"GET", "/v1/greetings/abc", strings.Repeat("x", 1<<20+1), asJSON, 413, "body_too_large", nil},
		"semicolons in the query":    {"GET", "/v1/greetings?limit=5;after=x", "", "", 200, "", nil},
		"an invalid escape in query": {"GET", "/v1/greetings?limit=%zz", "", "", 200, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if tt.contentType != "" {
				headers = []string{"Content-Type", tt.contentType}
			}
			w := b.send(t, tt.method, tt.target, tt.body, headers...)
			if w.Code != tt.status {
				t.Fatalf("%d %.300s; want %d", w.Code, w.Body, tt.status)
			}
			if tt.status < 400 {
				return
			}
			code, faults := problemOf(t, w)
			if diff := cmp.Diff(tt.faults, faults); code != tt.code || diff != "" {
				t.Errorf("%s, want %s; %s", code, tt.code, diff)
			}
		})
	}
}

func TestHeadersAreChecked(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	if w := b.send(t, "GET", "/v1/greetings", "", "X-Tenant", "acme"); w.Code != 200 {
		t.Error(w.Code, w.Body)
	}
	w := b.send(t, "GET", "/v1/greetings", "", "X-Tenant", "ACME")
	if _, faults := problemOf(t, w); w.Code != 400 || len(faults) != 1 || !strings.HasPrefix(faults[0], "header X-Tenant: string doesn't match") {
		t.Error(w.Code, faults)
	}
}

func TestContentEncodingIsRefused(t *testing.T) {
	w := setUp(t, 0, &greeter{}, nil).send(t, "POST", "/v1/greetings", "\x1f\x8b", "Content-Type", asJSON, "Content-Encoding", "gzip")
	if code, _ := problemOf(t, w); w.Code != 415 || code != "unsupported_content_encoding" {
		t.Error(w.Code, code)
	}
}

func TestAnswersToHostileBodiesStaySmall(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	var members strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&members, `,"%s%d":1`, strings.Repeat("k", i%40), i)
	}
	for _, body := range []string{
		`{"name":"Ada"` + members.String() + `}`,
		`{"name":"Ada","` + strings.Repeat("k", 500000) + `":1}`,
	} {
		w := b.send(t, "POST", "/v1/greetings", body, "Content-Type", asJSON)
		if w.Code != 422 || w.Body.Len() > 40000 {
			t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
		}
	}
}

func TestValuesAreNotRepeated(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	for _, w := range []*httptest.ResponseRecorder{
		b.send(t, "GET", "/v1/greetings?limit=hunter2", ""),
		b.send(t, "GET", "/v1/greetings?after=hunter2", ""),
		b.send(t, "POST", "/v1/greetings", `{"name":"Ada","language":"hunter2","email":"hunter2","size":"hunter2"}`, "Content-Type", asJSON),
	} {
		if w.Code < 400 || strings.Contains(w.Body.String(), "hunter2") {
			t.Error(w.Code, w.Body)
		}
	}
}

func TestTheHandlerSeesExactlyWhatWasChecked(t *testing.T) {
	var got greeting.NewGreeting
	b := setUp(t, 0, &greeter{create: func(_ context.Context, r greeting.CreateGreetingRequestObject) (greeting.CreateGreetingResponseObject, error) {
		got = *r.Body
		return greeting.CreateGreeting201JSONResponse{Id: "1", Name: got.Name}, nil
	}}, nil)
	w := b.send(t, "POST", "/v1/greetings", `{"name":"Ada","size":9007199254740993}`, "Content-Type", asJSON)
	if w.Code != 201 || got.Size == nil || *got.Size != 9007199254740993 || got.Language == nil || *got.Language != greeting.Eng {
		t.Errorf("%d, %+v", w.Code, got)
	}
}

func TestABodyCanStillBeReadAfterTheCheck(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"Ada",  "language":"deu"}`: `{"name":"Ada",  "language":"deu"}`, // byte for byte
		`{"name":"Ada"}`:                    `{"language":"eng","name":"Ada"}`,   // with the default
	} {
		b := setUp(t, 0, nil, nil)
		var read string
		b.Router().POST("/v1/greetings", func(c *gin.Context) {
			text, err := io.ReadAll(c.Request.Body)
			if err != nil || int64(len(text)) != c.Request.ContentLength {
				t.Errorf("%v, %d of %d bytes", err, len(text), c.Request.ContentLength)
			}
			read = string(text)
			c.Status(http.StatusCreated)
		})
		b.send(t, "POST", "/v1/greetings", body, "Content-Type", asJSON)
		if read != want {
			t.Errorf("read %q, want %q", read, want)
		}
	}
}

func TestDefaultsOfParametersReachTheHandler(t *testing.T) {
	var limit *int
	b := setUp(t, 0, &greeter{list: func(_ context.Context, r greeting.ListGreetingsRequestObject) (greeting.ListGreetingsResponseObject, error) {
		limit = r.Params.Limit
		return greeting.ListGreetings200JSONResponse{}, nil
	}}, nil)
	b.send(t, "GET", "/v1/greetings", "")
	if limit == nil || *limit != 20 {
		t.Errorf("limit %v", limit)
	}
}

func TestBodiesWithoutALengthAreBoundedToo(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	url := b.start(t)
	for _, path := range []string{"/v1/greetings", "/v1/recordings"} {
		body := io.MultiReader(strings.NewReader(`{"name":"`), &endless{left: 8 << 20})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", asJSON)
		if path == "/v1/recordings" {
			r.Header.Set("Content-Type", "application/octet-stream")
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

// endless gives many x.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range n {
		b[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func TestABodyThatBreaksOffIsTheClientsFault(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/greetings", io.MultiReader(strings.NewReader(`{"na`), iotest.ErrReader(io.ErrUnexpectedEOF)))
	r.Header.Set("Content-Type", asJSON)
	r.ContentLength = 100
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	if code, _ := problemOf(t, w); w.Code != 400 || code != "incomplete_body" {
		t.Error(w.Code, code)
	}
}

func TestALargeBodyStreamsToTheHandler(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{})
	b := setUp(t, 0, &greeter{uploads: func(_ context.Context, body io.Reader) error {
		first := make([]byte, 1)
		if _, err := io.ReadFull(body, first); err != nil {
			return err
		}
		close(begun) // before the client has sent all
		_, err := io.Copy(io.Discard, body)
		return err
	}}, nil)
	url := b.start(t)
	reader, writer := io.Pipe()
	go func() {
		_, _ = writer.Write([]byte("x"))
		<-release
		_ = writer.Close()
	}()
	go func() { <-begun; close(release) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/recordings", reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Error(answer.StatusCode)
	}
}

// FuzzRequest looks for a request at which the server panics, blames itself, or answers an error that is no problem.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v1/greetings", "limit=1&after=2026-01-01", "", "", "")
	f.Add("POST", "/v1/greetings", "", asJSON, `{"name":"Ada","replyTo":{"name":"B"},"tags":["x"]}`, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("PUT", "/v1/greetings/é", "a=%00", "application/json; charset=\"", `{"size":1e400}`, "00-x")
	f.Add("POST", "/v1/recordings", "", "application/octet-stream", "\x00", "")
	f.Add("GET", "/v1/greetings/x/lines/-1", "", "multipart/form-data; boundary=x", "--x", "")
	b := setUp(f, 0, &greeter{}, func(opt *httpserver.Options) {
		quiet, err := telemetry.New(context.Background(), telemetry.Options{Service: "greeter", Output: io.Discard, Ratio: 0.5, Exporter: tracetest.NewNoopExporter()})
		if err != nil {
			f.Fatal(err)
		}
		opt.Telemetry = quiet
	})
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body, traceparent string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Traceparent", traceparent)
		r.Header.Set("X-Request-Id", contentType)
		r.Header.Set("X-Tenant", query)
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code >= 400 && method != http.MethodHead {
			problemOf(t, w)
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Fatal("no request id")
		}
	})
}
