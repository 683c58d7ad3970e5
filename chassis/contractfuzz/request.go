package contractfuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// call is a request to be sent.
type call struct {
	op       *operation
	method   string
	url      string // path and query
	header   http.Header
	body     string
	hasBody  bool
	token    token
	conduct  choices // of the callees, while it is answered
	astray   bool    // its path may be another operation's, or nobody's
	flawless bool
}

// token says who asks.
type token int

const (
	everything token = iota // somebody who may do everything
	nothing                 // somebody who may do nothing
	forged
	absent
)

// compose makes the next request of a sequence, whose answers had these ids.
func compose(all []*operation, c choices, ids []string, count int) *call {
	op := all[c.below(len(all))]
	flaws := []int{0, 0, 0, 0, 1, 1, 2, 4}[c.below(8)]
	wrapping := c.below(64)
	r := &call{op: op, method: op.method, header: http.Header{}, flawless: flaws == 0 && (wrapping < 8 || wrapping > 23)}
	r.conduct = c.take(3)

	// The first time tells how many values there are to choose the flawed ones from.
	a := &author{choices: c, ids: ids, count: count}
	r.fill(a)
	values := a.seen
	a = &author{choices: c, ids: ids, count: count}
	for range flaws {
		a.flaws = append(a.flaws, a.below(max(values, 1)))
	}
	r.header, r.body = http.Header{}, ""
	r.fill(a)
	r.wrap(wrapping, &a.choices)
	return r
}

// fill writes the parameters and the body.
func (r *call) fill(a *author) {
	path, query := r.op.path, url.Values{}
	for _, p := range r.op.parameters {
		flawed := slices.Contains(a.flaws, a.seen)
		switch usual := a.below(4) != 3; {
		case flawed:
		case http.CanonicalHeaderKey(p.Name) == "Idempotency-Key" && (usual || p.Required):
			r.header.Set(p.Name, fmt.Sprintf("key-%d", a.count))
			a.seen++
			continue
		case p.In != openapi3.ParameterInPath && !p.Required && usual:
			a.seen++
			continue
		}
		text := a.parameter(p)
		switch p.In {
		case openapi3.ParameterInPath:
			r.astray = r.astray || text == "" || strings.ContainsAny(text, "/\\.%")
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text))
		case openapi3.ParameterInQuery:
			query[p.Name] = append(query[p.Name], text)
		case openapi3.ParameterInHeader:
			r.header[textproto.CanonicalMIMEHeaderKey(p.Name)] = []string{printable(text)}
		}
	}
	r.url = path
	if len(query) > 0 {
		r.url += "?" + query.Encode()
	}
	if len(r.op.media) == 0 {
		return
	}
	media := r.op.media[a.below(len(r.op.media))]
	r.hasBody = true
	r.header.Set("Content-Type", media)
	a.out, a.depth = nil, 0
	switch schema := r.op.RequestBody.Value.Content[media].Schema; {
	case strings.HasSuffix(media, "json"):
		a.value(schema, "")
		r.body = string(a.out)
	case media == "application/x-www-form-urlencoded":
		a.value(schema, "")
		r.body = form(a.out)
	default:
		r.body = "a,b\n1,\"x\"\n" + a.choices.text(255)
	}
}

// parameter gives the text of a parameter.
func (a *author) parameter(p *openapi3.Parameter) string {
	a.out, a.depth = nil, 0
	a.value(p.Schema, p.Name)
	text := plain(a.out)
	return text[:min(len(text), longest)]
}

// longest is the longest parameter: beyond some 10 KiB of line and headers, net/http refuses a request before the service sees it.
const longest = 1000

// plain is a JSON value as it stands in a parameter: a text without its quotes, a list with commas. A list in a list stays JSON, however
// deep it goes.
func plain(value []byte) string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil || len(list) > 200 {
		return unquoted(value)
	}
	parts := make([]string, len(list))
	for i, part := range list {
		parts[i] = unquoted(part)
	}
	return strings.Join(parts, ",")
}

func unquoted(value []byte) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return strings.Trim(string(value), `"`)
}

// form is a JSON object as a form; what is none stands there as it is.
func form(object []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return string(object)
	}
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, plain(value))
	}
	return values.Encode()
}

// printable leaves out what no HTTP client sends in a header.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// wrap is what can be wrong around the values.
func (r *call) wrap(kind int, c *choices) {
	switch kind {
	case 8:
		r.token = absent
	case 9:
		r.token = forged
	case 10:
		r.token = nothing
	case 11:
		r.header.Set("Content-Type", []string{"text/plain", "application/json; charset=utf-16", "multipart/form-data", "a/b/c", "application/xml"}[c.below(5)])
	case 12:
		r.header.Del("Content-Type")
	case 13:
		r.body, r.hasBody = "", c.below(2) == 1
	case 14:
		r.body = r.body[:c.below(len(r.body)+1)]
	case 15:
		r.body += []string{" ", "\n{}", "x", "\x00", "\ufeff"}[c.below(5)]
	case 16:
		r.body = "\ufeff" + r.body
	case 17:
		r.body, r.hasBody = c.text(255), true
	case 18:
		r.header.Set("Content-Encoding", []string{"gzip", "br", "x"}[c.below(3)])
	case 19:
		r.header.Set("Accept", []string{"text/html", "application/vnd.trellis.v2+json", "application/vnd.trellis.v99+json", "*/*;q=0", ";;", "application/xml"}[c.below(6)])
	case 20:
		r.header.Set("Api-Version", []string{"1", "2", "99", "-1", "v1", ""}[c.below(6)])
	case 21:
		r.header.Set("Idempotency-Key", []string{"again", strings.Repeat("k", 256), "", "\"k\"", "é"}[c.below(5)])
	case 22:
		r.header.Set([]string{"X-Request-Id", "X-Correlation-Id", "Traceparent", "Baggage", "X-Forwarded-For", "If-None-Match", "Range"}[c.below(7)], printable(c.text(64)))
	case 23:
		r.url += []string{"?", "&"}[min(1, strings.Count(r.url, "?"))] + []string{"limit=-1", "limit=1&limit=2", "after=%00", "cursor=x", "%zz=%", "unheardOf=1"}[c.below(6)]
	}
}

// request is the call as an HTTP request to a service; nil when no client would send it.
func (r *call) request(ctx context.Context, base string, authorization [absent + 1]string) *http.Request {
	var body io.Reader
	if r.hasBody {
		body = strings.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.url, body)
	if err != nil {
		return nil
	}
	req.Header = r.header.Clone()
	if value := authorization[r.token]; value != "" {
		req.Header.Set("Authorization", value)
	}
	return req
}

// String shows the request as a person would look at it.
func (r *call) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s (%s)\n", r.method, shortened(r.url), r.op.OperationID)
	_ = r.header.Write(&out) // to memory
	fmt.Fprintf(&out, "\n%s", strconv.Quote(shortened(r.body)))
	return out.String()
}

// shortened is as much of a text as somebody wants to read.
func shortened(text string) string {
	if len(text) <= 1000 {
		return text
	}
	return text[:1000] + "…"
}
