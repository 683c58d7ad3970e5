package apiversion_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/apiversion"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const contract = `
openapi: 3.0.3
info: {title: things, version: 1.0.0}
paths:
  /v1/things: {get: {operationId: listV1, responses: {"200": {description: things}}}}
  /v2/things: {get: {operationId: listV2, responses: {"200": {description: things}}}}
  /things: {get: {operationId: list, responses: {"200": {description: things}}}}
  /v1/others: {get: {operationId: others, responses: {"200": {description: others}}}}
`

var (
	since = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2027, 12, 1, 0, 0, 0, 0, time.UTC)
)

func options() apiversion.Options {
	return apiversion.Options{
		Vendor: "acme", Operations: []string{"listV1", "listV2", "list"}, Default: 1,
		Versions: []apiversion.Version{{Number: 1, Deprecated: since, Sunset: end, Docs: "https://acme.example/versions"}, {Number: 2}},
	}
}

// serve answers every path with the version that was decided, or with a problem where the query asks for one.
func serve(t *testing.T) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "things", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: []byte(contract), Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	versions, err := apiversion.New(options())
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(versions.Middleware)
	for _, path := range []string{"/v1/things", "/v2/things", "/things", "/v1/others"} {
		server.Router().GET(path, func(c *gin.Context) {
			if c.Query("missing") != "" {
				problem.Abort(c, problem.NotFound("thing_not_found", "There is no such thing."))
				return
			}
			c.Writer.Header().Set("Content-Type", "application/json") // as generated code does it
			c.Writer.WriteHeader(http.StatusOK)
			_, _ = fmt.Fprint(c.Writer, apiversion.Of(c))
		})
	}
	return server.Handler()
}

func ask(t *testing.T, h http.Handler, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	plain = "application/json"
	one   = "application/vnd.acme.v1+json"
	two   = "application/vnd.acme.v2+json"
	nine  = "application/vnd.acme.v9+json"
)

func TestVersionIsDecided(t *testing.T) {
	h := serve(t)
	for name, test := range map[string]struct {
		path, header, accept string
		version, mediaType   string
	}{
		"nothing is said":                        {"/things", "", "", "1", plain},
		"by the path":                            {"/v2/things", "", "", "2", plain},
		"by the path, as a browser asks":         {"/v1/things", "", "text/html,*/*;q=0.8", "1", plain},
		"by the header":                          {"/things", "2", "", "2", plain},
		"by the header, with JSON accepted":      {"/things", "2", plain, "2", plain},
		"by the media type":                      {"/things", "", two, "2", two},
		"by the media type, in capital letters":  {"/things", "", strings.ToUpper(two), "2", two},
		"by the media type, with a charset":      {"/things", "", two + "; charset=utf-8", "2", two},
		"by the old media type":                  {"/things", "", one, "1", one},
		"path and header agree":                  {"/v2/things", "2", "", "2", plain},
		"path and media type agree":              {"/v2/things", "", two, "2", two},
		"header and media type agree":            {"/things", "2", two, "2", two},
		"the more welcome of two":                {"/things", "", one + ";q=0.9, " + two + ";q=0.1", "1", one},
		"the newer of two":                       {"/things", "", one + ", " + two, "2", two},
		"a version goes before JSON":             {"/things", "", plain + ", " + two, "2", two},
		"JSON is more welcome":                   {"/things", "", plain + ", " + two + ";q=0.5", "1", plain},
		"what is unknown is passed over":         {"/things", "", nine + ", " + two + ";q=0.5", "2", two},
		"what is unknown is passed over for any": {"/things", "", nine + ", */*;q=0.1", "1", plain},
		"a refusal is no wish":                   {"/things", "", two + ";q=0, */*", "1", plain},
		"another's media type is no wish":        {"/things", "", "application/vnd.other.v2+json", "1", plain},
		"what cannot be read is no wish":         {"/things", "", "/;,;;q=", "1", plain},
		"path goes before Accept that allows it": {"/v1/things", "", two + ", application/*;q=0.1", "1", plain},
	} {
		t.Run(name, func(t *testing.T) {
			asked := http.Header{}
			if test.header != "" {
				asked.Set("api-version", test.header)
			}
			if test.accept != "" {
				asked.Set("Accept", test.accept)
			}
			w := ask(t, h, test.path, asked)
			if w.Code != http.StatusOK || w.Body.String() != test.version {
				t.Fatalf("status %d, body %s; want version %s", w.Code, w.Body, test.version)
			}
			got := []string{w.Header().Get("Api-Version"), w.Header().Get("Content-Type"), strings.Join(w.Header()["Vary"], ", ")}
			if diff := cmp.Diff([]string{test.version, test.mediaType, "Api-Version, Accept"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVersionIsRefused(t *testing.T) {
	h := serve(t)
	for name, test := range map[string]struct {
		path           string
		header, accept []string
		status         int
		code           string
	}{
		"an unknown one by the header":       {"/things", []string{"3"}, nil, 400, "api_version_unknown"},
		"no number":                          {"/things", []string{"v2"}, nil, 400, "api_version_unknown"},
		"nothing":                            {"/things", []string{""}, nil, 400, "api_version_unknown"},
		"two at once":                        {"/things", []string{"1, 2"}, nil, 400, "api_version_unknown"},
		"two headers":                        {"/things", []string{"1", "2"}, nil, 400, "api_version_conflict"},
		"path against header":                {"/v1/things", []string{"2"}, nil, 400, "api_version_conflict"},
		"an unknown media type":              {"/things", nil, []string{nine}, 406, "media_type_unknown"},
		"an unknown media type, over two":    {"/things", nil, []string{nine, "text/html"}, 406, "media_type_unknown"},
		"what is refused":                    {"/things", nil, []string{two + ";q=0"}, 406, "media_type_unknown"},
		"what has no quality":                {"/things", nil, []string{two + ";q=high"}, 406, "media_type_unknown"},
		"a media type of another profile":    {"/things", nil, []string{two + ";profile=x, " + nine}, 406, "media_type_unknown"},
		"path against media type":            {"/v1/things", nil, []string{two}, 406, "media_type_conflict"},
		"header against media type":          {"/things", []string{"1"}, []string{two}, 406, "media_type_conflict"},
		"path against an unknown media type": {"/v1/things", nil, []string{nine}, 406, "media_type_conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(t, h, test.path, http.Header{"Api-Version": test.header, "Accept": test.accept})
			var refused problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if w.Code != test.status || refused.Code != test.code {
				t.Errorf("%d %s, want %d %s", w.Code, refused.Code, test.status, test.code)
			}
			if w.Header().Get("Vary") == "" || w.Header().Get("Deprecation") != "" {
				t.Errorf("headers %v: they vary, and no version was decided", w.Header())
			}
		})
	}
}

func TestDeprecatedVersionSaysSoInEveryAnswer(t *testing.T) {
	h := serve(t)
	want := []string{"@1796083200", "Wed, 01 Dec 2027 00:00:00 GMT", `<https://acme.example/versions>; rel="deprecation"; type="text/html"`}
	for path, deprecated := range map[string]bool{
		"/v1/things": true, "/things": true, "/v1/things?missing=1": true, "/v2/things": false, "/v1/others": false,
	} {
		w := ask(t, h, path, http.Header{})
		got := []string{w.Header().Get("Deprecation"), w.Header().Get("Sunset"), w.Header().Get("Link")}
		if deprecated {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		} else if strings.Join(got, "") != "" {
			t.Errorf("%s: headers %v", path, got)
		}
	}
}

func TestProblemKeepsItsMediaType(t *testing.T) {
	w := ask(t, serve(t), "/things?missing=1", http.Header{"Accept": {two}})
	if got := w.Header().Get("Content-Type"); w.Code != http.StatusNotFound || got != problem.ContentType {
		t.Errorf("status %d, content type %q", w.Code, got)
	}
}

func TestOperationsWithoutVersionsAreLeftAlone(t *testing.T) {
	w := ask(t, serve(t), "/v1/others", http.Header{"Api-Version": {"9"}, "Accept": {nine}})
	if w.Code != http.StatusOK || w.Body.String() != "0" || w.Header().Get("Vary") != "" {
		t.Errorf("status %d, version %s, headers %v", w.Code, w.Body, w.Header())
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*apiversion.Options){
		"no vendor":                func(o *apiversion.Options) { o.Vendor = "" },
		"a vendor with a dot":      func(o *apiversion.Options) { o.Vendor = "a.b" },
		"no operation":             func(o *apiversion.Options) { o.Operations = nil },
		"no version":               func(o *apiversion.Options) { o.Versions = nil },
		"a default there is not":   func(o *apiversion.Options) { o.Default = 3 },
		"a version twice":          func(o *apiversion.Options) { o.Versions[1].Number = 1 },
		"version nought":           func(o *apiversion.Options) { o.Versions[0].Number = 0 },
		"an end before the notice": func(o *apiversion.Options) { o.Versions[0].Sunset = since.Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			opt := options()
			change(&opt)
			if _, err := apiversion.New(opt); err == nil {
				t.Error("it was taken")
			}
		})
	}
}
