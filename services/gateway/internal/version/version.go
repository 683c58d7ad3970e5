// Package version gives each client the answers that it was written for. There are two versions of the gateway's API:
//
//	api-version: 1, or Accept: application/vnd.trellis.v1+json    {"data": …, "meta": {"requestId": "…", "apiVersion": "1"}}
//	api-version: 2, or Accept: application/vnd.trellis.v2+json    the answer as it is; so it is when nothing is said
//
// Version 1 has the operations only that there were in its time, is deprecated (RFC 9745) and ends on a day that its answers name
// (RFC 8594). Problems are the same in both. A version that is not known is refused (406) before anything is done, and so are two
// that differ (400).
package version

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// The versions.
const (
	Old     = "1"
	Current = "2"
)

// When version 1 was deprecated, and when it ends.
var (
	deprecated = time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)
	sunset     = time.Date(2027, time.July, 1, 0, 0, 0, 0, time.UTC)
)

const (
	header       = "Api-Version"
	vendorPrefix = "application/vnd.trellis.v"
	vendorSuffix = "+json"
)

// choice is what a client asked for.
type choice struct {
	version   string
	mediaType string // empty unless the client named it
	envelope  bool
}

type choiceKey struct{}

// Middleware reads the version that a request asks for and says so in the answer's headers, whatever becomes of the request.
// enveloped tells which operations have the form of version 1.
func Middleware(enveloped func(operation string) bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer.Header().Add("Vary", "Accept, Api-Version")
		asked, err := negotiate(c.Request.Header)
		if err != nil {
			problem.Abort(c, err)
			return
		}
		ctx := c.Request.Context()
		if asked.envelope = asked.version == Old && enveloped(httpserver.Operation(ctx)); asked.envelope {
			c.Writer.Header().Set("Deprecation", "@"+strconv.FormatInt(deprecated.Unix(), 10))
			c.Writer.Header().Set("Sunset", sunset.Format(http.TimeFormat))
		}
		c.Request = c.Request.WithContext(context.WithValue(ctx, choiceKey{}, asked))
	}
}

// negotiate reads what a request asks for.
func negotiate(h http.Header) (choice, error) {
	byType, err := accepted(h["Accept"])
	if err != nil {
		return choice{}, err
	}
	asked := byType
	for _, value := range h[header] {
		value = strings.TrimSpace(value)
		if value != Old && value != Current {
			return choice{}, unknown()
		}
		if asked.version != "" && asked.version != value {
			return choice{}, problem.BadRequest("api_version_conflict", "The request asks for two versions of the API.")
		}
		asked.version = value
	}
	if asked.version == "" {
		asked.version = Current
	}
	return asked, nil
}

// accepted is the version of the first media type in Accept that has a known one. An unknown one is refused unless something else
// will do.
func accepted(lines []string) (choice, error) {
	foreign, other := false, false
	for media := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		media, _, _ = strings.Cut(media, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		name, vendor := strings.CutPrefix(media, vendorPrefix)
		version, vendor2 := strings.CutSuffix(name, vendorSuffix)
		switch {
		case !vendor || !vendor2:
			other = other || media != ""
		case version == Old || version == Current:
			return choice{version: version, mediaType: media}, nil
		default:
			foreign = true
		}
	}
	if foreign && !other {
		return choice{}, unknown()
	}
	return choice{}, nil
}

func unknown() error {
	return problem.New(http.StatusNotAcceptable, "api_version_unknown", "The API has the versions "+Old+" and "+Current+".")
}

// Shape gives an answer the form of the version that the request of ctx asks for.
func Shape(ctx context.Context, a *proxy.Answer) error {
	asked, _ := ctx.Value(choiceKey{}).(choice)
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if a.Status < 200 || a.Status > 299 || kind != "application/json" {
		return nil
	}
	if asked.mediaType != "" {
		a.Header.Set("Content-Type", asked.mediaType)
	}
	if !asked.envelope {
		return nil
	}
	meta, err := json.Marshal(struct {
		RequestID  string `json:"requestId"`
		APIVersion string `json:"apiVersion"`
	}{telemetry.ContextIDs(ctx).Request, Old})
	if err != nil {
		return fmt.Errorf("encode the envelope: %w", err)
	}
	before, after := `{"data":`, `,"meta":`+string(meta)+`}`
	a.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(before), a.Body, strings.NewReader(after)), a.Body}
	if a.Length >= 0 {
		a.Length += int64(len(before) + len(after))
	}
	a.Header.Del("Etag") // it is that of another form
	return nil
}
