package httpserver_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const securedContract = `
openapi: 3.0.3
info: {title: notes, version: 1.0.0}
security: [{token: ["notes:read"]}]
paths:
  /notes:
    get: {operationId: listNotes, parameters: [{name: limit, in: query, schema: {type: integer}}], responses: {"204": {description: Done.}}}
    post: {operationId: addNote, security: [{token: ["notes:write", "notes:read"]}, {other: [admin]}], responses: {"204": {description: Done.}}}
    put: {operationId: replaceNotes, security: [{token: []}], responses: {"204": {description: Done.}}}
    delete: {operationId: clearNotes, security: [], responses: {"204": {description: Done.}}}
    patch: {operationId: changeNotes, security: [{token: [a]}, {}], responses: {"204": {description: Done.}}}
components:
  securitySchemes:
    token: {type: oauth2, flows: {clientCredentials: {tokenUrl: /oauth/token, scopes: {}}}}
    other: {type: http, scheme: bearer}
    password: {type: http, scheme: basic}
`

// serveNotes serves the secured contract; authorize decides, and handle is every operation.
func serveNotes(t *testing.T, authorize httpserver.Authorize, handle gin.HandlerFunc) *bench {
	t.Helper()
	b := setUp(t, 0, nil, func(opt *httpserver.Options) {
		opt.Contract, opt.Authorize = []byte(securedContract), authorize
	})
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		b.Router().Handle(method, "/notes", handle)
	}
	b.Router().GET("/elsewhere", handle)
	return b
}

func TestAuthorizeIsAskedForWhatTheContractSays(t *testing.T) {
	asked := map[string][][]string{}
	handled := 0
	b := serveNotes(t, func(ctx context.Context, _ http.Header, need [][]string) (context.Context, error) {
		asked[httpserver.Operation(ctx)] = need
		return auth.With(ctx, &auth.Identity{Subject: "ada"}), nil
	}, func(c *gin.Context) {
		handled++
		who, ok := auth.From(c)
		if public := c.Request.Method == "DELETE" || c.Request.Method == "PATCH" || c.FullPath() == "/elsewhere"; ok == public || ok && who.Subject != "ada" {
			t.Errorf("%s: identity %+v", c.Request.Method, who)
		}
		if httpserver.Operation(c) == "" || telemetry.ContextIDs(c).Request == "" || auth.Header(c) != "Bearer x" {
			t.Errorf("%s: the context lost what it had", c.Request.Method)
		}
		c.Status(http.StatusNoContent)
	})
	for _, target := range []string{"GET /notes", "POST /notes", "PUT /notes", "DELETE /notes", "PATCH /notes", "GET /elsewhere"} {
		method, path, _ := strings.Cut(target, " ")
		if w := b.send(t, method, path, "", "Authorization", "Bearer x"); w.Code != http.StatusNoContent {
			t.Errorf("%s: status %d", target, w.Code)
		}
	}
	want := map[string][][]string{
		"listNotes":    {{"notes:read"}},
		"addNote":      {{"notes:read", "notes:write"}, {"admin"}},
		"replaceNotes": {{}},
	}
	if diff := cmp.Diff(want, asked); diff != "" || handled != 6 {
		t.Errorf("%d handled; %s", handled, diff)
	}
}

// challenged is a problem with a challenge.
type challenged struct{ error }

func (c challenged) Unwrap() error     { return c.error }
func (c challenged) Challenge() string { return `Bearer error="invalid_token"` }

func TestRefusedRequestGetsNoFurther(t *testing.T) {
	refusal := challenged{problem.Unauthorized("invalid_token", "The access token is not valid.")}
	b := serveNotes(t, func(context.Context, http.Header, [][]string) (context.Context, error) { return nil, refusal }, func(*gin.Context) {
		t.Error("it was handled")
	})
	w := b.send(t, "GET", "/notes?limit=none", "", "Authorization", "Bearer s3cr3t") // nor is it told what is wrong with its parameters
	code, _ := problemOf(t, w)
	if w.Code != http.StatusUnauthorized || code != "invalid_token" || w.Header().Get("WWW-Authenticate") != refusal.Challenge() {
		t.Errorf("status %d, code %s, header %v", w.Code, code, w.Header())
	}
	if lines := b.log.lines(t, "request"); len(lines) != 1 || lines[0]["operation"] != "listNotes" {
		t.Errorf("log %v", lines)
	}
	if strings.Contains(b.log.buf.String(), "s3cr3t") {
		t.Errorf("the log shows the token: %s", b.log.buf.String())
	}
}

func TestSecurityThatCannotBeEnforcedKeepsTheServerFromStarting(t *testing.T) {
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "notes", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	allow := func(ctx context.Context, _ http.Header, _ [][]string) (context.Context, error) { return ctx, nil }
	for name, test := range map[string]struct {
		contract  string
		authorize httpserver.Authorize
		want      string
	}{
		"nobody decides":  {securedContract, nil, "Options.Authorize is nil"},
		"not by a bearer": {strings.Replace(securedContract, "[{token: []}]", "[{password: []}]", 1), allow, "only bearer tokens"},
		"unknown scheme":  {strings.Replace(securedContract, "[{token: []}]", "[{tokens: []}]", 1), allow, "tokens"},
	} {
		_, err := httpserver.New(httpserver.Options{Contract: []byte(test.contract), Telemetry: tel, Authorize: test.authorize})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
}
