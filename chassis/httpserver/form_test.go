package httpserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
)

const formContract = `
openapi: 3.0.3
info: {title: logins, version: 1.0.0}
paths:
  /logins:
    post:
      operationId: logIn
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {name: {type: string, maxLength: 5}, secret: {type: string}}}
      responses: {"204": {description: Done.}}
`

func TestFormIsCheckedAndHoldsNoQuery(t *testing.T) {
	for name, test := range map[string]struct {
		target, body string
		status       int
		code         string
		want         url.Values
	}{
		"right":                 {"/logins", "name=ada&secret=%C3%A9+%2500", 204, "", url.Values{"name": {"ada"}, "secret": {"é %00"}}},
		"query":                 {"/logins?secret=x&name=eve", "name=ada", 204, "", url.Values{"name": {"ada"}}},
		"too long":              {"/logins", "name=adalovelace", 422, "invalid_body", nil},
		"unreadable":            {"/logins", "name=%zz", 400, "malformed_body", nil},
		"semicolon":             {"/logins", "name=a;secret=b", 400, "malformed_body", nil},
		"escaped NUL":           {"/logins", "name=a%00b", 422, "invalid_body", nil},
		"NUL as it is":          {"/logins", "name=a\x00b", 422, "invalid_body", nil},
		"escaped NUL in a name": {"/logins", "name=ada&%00=x", 422, "invalid_body", nil},
		"nothing":               {"/logins", "", 400, "body_required", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got url.Values
			b := setUp(t, 0, nil, func(opt *httpserver.Options) { opt.Contract = []byte(formContract) })
			b.Router().POST("/logins", func(c *gin.Context) {
				if err := c.Request.ParseForm(); err != nil { // as generated code does
					t.Error(err)
				}
				got = c.Request.Form
				c.Status(http.StatusNoContent)
			})
			w := b.send(t, http.MethodPost, test.target, test.body, "Content-Type", "application/x-www-form-urlencoded")
			if w.Code != test.status {
				t.Fatalf("%d %s; want %d", w.Code, w.Body, test.status)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the handler's form (-want +got):\n%s", diff)
			}
			if w.Code < 400 {
				return
			}
			if code, _ := problemOf(t, w); code != test.code {
				t.Errorf("code %s, want %s", code, test.code)
			}
		})
	}
}
