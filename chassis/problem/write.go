package problem

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// ContentType is the media type of an answer with a problem.
const ContentType = "application/problem+json"

// Write answers with the problem that err is, with the request's path, request id and trace id. A nil err is a 500:
// whoever writes a problem has one.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	p := From(err)
	if p == nil {
		p = Internal(nil)
	}
	write(w, r, p)
}

// Abort answers as Write does and stops the chain of handlers. The error of a 5xx is attached to the gin context, where
// the access log and the trace find it; it is not sent.
func Abort(c *gin.Context, err error) {
	p := From(err)
	if p == nil {
		p = Internal(nil)
	}
	c.Abort()
	if p.Status >= http.StatusInternalServerError {
		_ = c.Error(redacted{p})
	}
	if !c.Writer.Written() {
		write(c.Writer, c.Request, p)
	}
}

// redacted is an error whose text is fit for logs and traces.
type redacted struct{ error }

func (e redacted) Error() string { return telemetry.Redact(e.error.Error()) }
func (e redacted) Unwrap() error { return e.error }

func write(w http.ResponseWriter, r *http.Request, p *Problem) {
	body, err := json.Marshal(p.complete(r))
	if err != nil {
		// Every member is a string, a number or a list of strings, so this cannot be reached.
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Del("Content-Encoding")
	h.Del("Etag")
	h.Del("Last-Modified")
	h.Set("Content-Type", ContentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if p.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(p.RetryAfter))
	}
	w.WriteHeader(p.Status)
	if r == nil || r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone; there is nobody left to tell
	}
}

// complete is the problem with what the request knows.
func (p *Problem) complete(r *http.Request) *Problem {
	done := *p
	if done.Type == "" {
		done.Type = "about:blank"
	}
	if done.Title == "" {
		done.Title = statusTitle(done.Status)
	}
	if done.Status == http.StatusInternalServerError {
		done.Detail = internalDetail
	}
	if r == nil {
		return &done
	}
	if done.Instance == "" && r.URL != nil {
		done.Instance = r.URL.EscapedPath()
	}
	ids := telemetry.ContextIDs(r.Context())
	if done.RequestID == "" {
		done.RequestID = ids.Request
	}
	if done.TraceID == "" {
		done.TraceID = telemetry.TraceID(r.Context())
	}
	return &done
}

// retryAfter is a delay in whole seconds, rounded up, as RFC 9110, section 10.2.3 wants it.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

func statusTitle(status int) string {
	if status == StatusClientClosed {
		return "Client Closed Request"
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Error"
}

func statusCode(status int) string {
	return strings.ReplaceAll(strings.ToLower(statusTitle(status)), " ", "_")
}
