package contractfuzz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

const notes = `
openapi: 3.0.3
info: {title: notes, version: 1.0.0}
paths:
  /notes:
    post:
      operationId: addNote
      security: [{oauth: ["notes:write"]}]
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string, minLength: 1, maxLength: 255}}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/NewNote"}}}
      responses:
        "201": {description: Added., content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
        default: {$ref: "#/components/responses/Problem"}
  /notes/{id}:
    get:
      operationId: getNote
      security: [{oauth: ["notes:write"]}]
      parameters: [{name: id, in: path, required: true, schema: {type: string, minLength: 1, maxLength: 64}}]
      responses:
        "200": {description: The note., content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
        "404": {$ref: "#/components/responses/Problem"}
        default: {$ref: "#/components/responses/Problem"}
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: /token, scopes: {"notes:write": Write.}}}}
  responses:
    Problem: {description: No., content: {application/problem+json: {schema: {type: object, required: [code], properties: {code: {type: string}}}}}}
  schemas:
    NewNote:
      type: object
      required: [title]
      properties:
        title: {type: string, minLength: 1, maxLength: 20}
        size: {type: integer, minimum: 0, maximum: 9}
    Note:
      type: object
      required: [id, title]
      properties: {id: {type: string}, title: {type: string}, size: {type: integer}}
`

// note is one of the service's.
type note struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Size  int    `json:"size"`
}

// keeper is a service that keeps notes. What the hooks do is wrong with it.
type keeper struct {
	add func(c *gin.Context, n *note)
	get func(c *gin.Context, n *note)

	mu    sync.Mutex
	notes map[string]note
}

func (k *keeper) service() Service {
	k.notes = map[string]note{}
	return Service{
		Spec: chassis.Spec{Name: "notes", Contract: []byte(notes), Calls: []chassis.Call{{Service: "archive", Timeout: time.Second}}},
		Wire: k.wire, Callees: map[string][]byte{"archive": []byte(notes)},
	}
}

func (k *keeper) wire(_ context.Context, s *chassis.Service) error {
	archive, err := s.Client("archive")
	if err != nil {
		return err
	}
	s.Router().POST("/notes", func(c *gin.Context) {
		var n note
		if err := c.ShouldBindJSON(&n); err != nil {
			problem.Abort(c, problem.BadRequest("malformed", "No note."))
			return
		}
		k.mu.Lock()
		n.ID = fmt.Sprint("n", len(k.notes))
		k.notes[n.ID] = n
		k.mu.Unlock()
		if k.add != nil {
			k.add(c, &n)
		}
		if !c.Writer.Written() {
			c.JSON(http.StatusCreated, n)
		}
	})
	s.Router().GET("/notes/:id", func(c *gin.Context) {
		k.mu.Lock()
		n, ok := k.notes[c.Param("id")]
		k.mu.Unlock()
		if !ok {
			problem.Abort(c, k.ask(c, archive.URL, archive.HTTP))
			return
		}
		if k.get != nil {
			k.get(c, &n)
		}
		if !c.Writer.Written() {
			c.JSON(http.StatusOK, n)
		}
	})
	return nil
}

// ask looks for a note in the archive: nobody else has it, or nobody knows.
func (k *keeper) ask(ctx context.Context, url string, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/notes/n", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return problem.Unavailable("archive_away", "Try again later.").WithCause(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode >= 500 {
		return problem.BadGateway("archive_broken", "Try again later.").WithCause(err)
	}
	return problem.NotFound("note_not_found", "There is no such note.")
}

// sentence is the first fault that the first inputs find.
func sentence(t *testing.T, k *keeper) error {
	t.Helper()
	h := start(t, k.service())
	for _, input := range h.seeds() {
		if err := h.try(t.Context(), input); err != nil {
			return err
		}
	}
	return nil
}

func TestAServiceWithoutFaultPasses(t *testing.T) {
	k := &keeper{}
	if err := sentence(t, k); err != nil {
		t.Error(err)
	}
	if len(k.notes) < 10 {
		t.Errorf("%d notes were added, want more: most requests must be as the contract asks for", len(k.notes))
	}
}

func TestFaultsAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		keeper *keeper
		want   string
	}{
		"a panic at a value":           {&keeper{add: func(_ *gin.Context, n *note) { _ = [2]int{}[n.Size] }}, "status 500"},
		"an error of its own":          {&keeper{get: func(c *gin.Context, _ *note) { problem.Abort(c, errors.New("no disk")) }}, "status 500"},
		"unavailable without a reason": {&keeper{add: func(c *gin.Context, _ *note) { problem.Abort(c, problem.Unavailable("x", "y")) }}, "status 503"},
		"another type in an answer": {&keeper{add: func(c *gin.Context, n *note) { c.JSON(http.StatusCreated, map[string]any{"id": 7, "title": n.Title}) }},
			"not as the contract says"},
		"a field that is missing":                  {&keeper{get: func(c *gin.Context, n *note) { c.JSON(http.StatusOK, map[string]any{"id": n.ID}) }}, "not as the contract says"},
		"a status for which there is another body": {&keeper{get: func(c *gin.Context, n *note) { c.JSON(http.StatusAccepted, n) }}, "not as the contract says"},
		"a problem that is none":                   {&keeper{get: func(c *gin.Context, _ *note) { c.String(http.StatusConflict, "no") }}, "not as the contract says"},
		"internals in a problem": {&keeper{get: func(c *gin.Context, _ *note) {
			problem.Abort(c, problem.Conflict("locked", "SQL logic error: database is locked"))
		}}, "it shows"},
		"an answer that breaks off": {&keeper{get: func(c *gin.Context, _ *note) {
			c.Header("Content-Length", "100")
			c.String(http.StatusOK, "{")
		}}, "breaks off"},
	} {
		t.Run(name, func(t *testing.T) {
			err := sentence(t, test.keeper)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("found %v, want %s", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), "/notes") {
				t.Errorf("the request is not shown: %v", err)
			}
		})
	}
}

// recorder is a test whose failures are looked at.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }

func TestGoroutinesThatStayAreFound(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	r := &recorder{TB: t}
	k := &keeper{add: func(*gin.Context, *note) { go func() { <-release }() }}
	h := start(r, k.service())
	if err := h.try(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for i := range r.cleanups {
		r.cleanups[len(r.cleanups)-1-i]()
	}
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "left behind") {
		t.Errorf("errors %q, want one about what was left behind", r.errors)
	}
}

func TestAnEndedServiceIsFound(t *testing.T) {
	r := &recorder{TB: t}
	end := make(chan struct{})
	service := (&keeper{}).service()
	wire := service.Wire
	service.Wire = func(ctx context.Context, s *chassis.Service) error {
		s.Go("clock", func(context.Context) error { <-end; return errors.New("it is late") })
		return wire(ctx, s)
	}
	h := start(r, service)
	close(end)
	deadline := time.After(10 * time.Second)
	for {
		err := h.try(t.Context(), nil)
		if err != nil && strings.Contains(err.Error(), "it is late") {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("found %v, want that it ended", err)
		default:
		}
	}
	for i := range r.cleanups {
		r.cleanups[len(r.cleanups)-1-i]()
	}
}

func TestTheInputOfNoBytesIsWhatTheContractAsksFor(t *testing.T) {
	all, err := operations([]byte(notes))
	if err != nil {
		t.Fatal(err)
	}
	r := compose(all, choices{}, nil, 1)
	if r.method != "POST" || r.url != "/notes" || !r.flawless || r.header.Get("Idempotency-Key") != "key-1" {
		t.Errorf("%s", r)
	}
	if err := all[0].RequestBody.Value.Content["application/json"].Schema.Value.VisitJSON(decoded(t, r.body)); err != nil {
		t.Error(err)
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func TestIDsOfAnswersAreUsed(t *testing.T) {
	all, err := operations([]byte(notes))
	if err != nil {
		t.Fatal(err)
	}
	ids := idsOf([]byte(`{"requestId": "r", "id": "n7", "items": [{"productId": "p1"}], "name": "x"}`))
	if fmt.Sprint(ids) != "[p1 n7]" {
		t.Errorf("ids %v", ids)
	}
	if r := compose(all, choices{rest: []byte{1}}, ids, 1); r.url != "/notes/n7" {
		t.Errorf("url %s", r.url)
	}
}

func TestPatternsAreMatched(t *testing.T) {
	for _, pattern := range []string{
		`^[0-9]{1,15}([.][0-9]{1,4})?$`, `^[A-Z]{3}$`, `^(a|bc)+x*[^y]?.$`, `^\d{4}-\d\d$`, `^https?://\S{2,}$`,
	} {
		for seed := range 64 {
			c := &choices{rest: []byte{byte(seed), byte(seed * 7), byte(seed * 31), byte(seed * 3), byte(seed), 255, byte(seed * 5), 9}}
			if text := ofPattern(pattern, c); !regexp.MustCompile(pattern).MatchString(text) {
				t.Errorf("%s: %q", pattern, text)
			}
		}
	}
}

// FuzzValue looks for choices that lead to a value that its schema does not allow, although nothing is wrong with it.
func FuzzValue(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	schema := &openapi3.SchemaRef{}
	if err := json.Unmarshal([]byte(`{"type": "object", "required": ["a", "b"], "properties": {
		"a": {"type": "string", "minLength": 2, "maxLength": 9}, "b": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer", "minimum": 3, "maximum": 8}},
		"c": {"type": "string", "pattern": "^[A-Z]{3}(x|y)?$"}, "d": {"type": "string", "format": "date-time"}, "e": {"type": "boolean", "nullable": true},
		"f": {"type": "string", "enum": ["p", "q"]}, "g": {"type": "number", "maximum": 2.5}, "h": {"type": "string", "format": "uuid"},
		"i": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, "j": {"type": "object", "additionalProperties": {"type": "string"}}}}`), schema); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		a := &author{choices: choices{rest: input}}
		a.value(schema, "")
		if err := schema.Value.VisitJSON(decoded(t, string(a.out))); err != nil {
			t.Error(err)
		}
	})
}
