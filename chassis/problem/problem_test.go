package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func answer(t *testing.T, err error) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	ctx := telemetry.WithIDs(t.Context(), telemetry.IDs{Request: "r-1"})
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0xab}, SpanID: trace.SpanID{1}}))
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/orders/1%2F2?token=x", nil)
	w := httptest.NewRecorder()
	problem.Write(w, r, err)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return w, body
}

func TestWriteSendsTheMembersOfRFC9457AndTheIDs(t *testing.T) {
	w, body := answer(t, problem.Invalid("invalid_order", "The order is wrong.", problem.FieldError{In: "body", Pointer: "/items/0", Detail: "is missing"}))
	want := map[string]any{
		"type": "about:blank", "title": "Unprocessable Entity", "status": 422.0, "detail": "The order is wrong.",
		"instance": "/v1/orders/1%2F2", "code": "invalid_order", "requestId": "r-1", "traceId": "ab000000000000000000000000000000",
		"errors": []any{map[string]any{"in": "body", "pointer": "/items/0", "detail": "is missing"}},
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	if w.Code != 422 || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Error(w.Code, w.Header())
	}
}

type away struct{}

func (away) Error() string             { return "10.0.0.7 is away" }
func (away) Problem() *problem.Problem { return problem.Unavailable("away", "Try again.") }

var errInternal = errors.New("dial tcp 10.0.0.7:5432: password=hunter2")

func TestFromFindsTheProblemInAChain(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"a problem":           {problem.NotFound("x", "y"), 404, "x"},
		"wrapped":             {fmt.Errorf("load: %w", problem.Conflict("x", "y")), 409, "x"},
		"joined":              {errors.Join(errInternal, problem.Conflict("x", "y")), 409, "x"},
		"a reporter":          {fmt.Errorf("call: %w", away{}), 503, "away"},
		"a deadline":          {fmt.Errorf("load: %w", context.DeadlineExceeded), 504, "deadline_exceeded"},
		"a client gone":       {fmt.Errorf("load: %w", context.Canceled), 499, "client_closed_request"},
		"a body too large":    {fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), 413, "body_too_large"},
		"anything else":       {errInternal, 500, "internal_error"},
		"nothing":             {nil, 500, "internal_error"},
		"a status of success": {problem.New(200, "", "y"), 500, "internal_server_error"},
		"no code":             {problem.New(429, "", "y"), 429, "too_many_requests"},
		"no such status":      {problem.New(599, "", "y"), 599, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			w, body := answer(t, tt.err)
			if w.Code != tt.status || body["status"] != float64(tt.status) || body["code"] != tt.code {
				t.Errorf("%d %v, want %d %s", w.Code, body, tt.status, tt.code)
			}
		})
	}
	if problem.From(nil) != nil {
		t.Error("no error became a problem")
	}
}

func TestServerErrorsShowNothingInternal(t *testing.T) {
	for _, err := range []error{
		errInternal,
		problem.Internal(errInternal),
		problem.New(500, "x", errInternal.Error()),
		problem.Unavailable("away", "Try again.").WithCause(errInternal),
		fmt.Errorf("%w: %w", errInternal, problem.BadGateway("bad", "The callee failed.")),
		fmt.Errorf("%w: %w", errInternal, context.DeadlineExceeded),
	} {
		w, _ := answer(t, err)
		if strings.Contains(w.Body.String(), "10.0.0.7") || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%v shows %s", err, w.Body)
		}
	}
}

func TestASharedProblemIsNotChanged(t *testing.T) {
	shared := problem.NotFound("x", "y")
	answer(t, shared)
	_ = shared.WithCause(errInternal).WithErrors(problem.FieldError{}).WithRetryAfter(time.Second)
	if diff := cmp.Diff(problem.NotFound("x", "y"), shared); diff != "" {
		t.Error(diff)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", -time.Second: ""} {
		w, _ := answer(t, problem.TooManyRequests("slow_down", "Slow down.", d))
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestErrorsIsComparesStatusAndCode(t *testing.T) {
	err := fmt.Errorf("load: %w", problem.NotFound("x", "one").WithCause(errInternal))
	if !errors.Is(err, problem.NotFound("x", "two")) || errors.Is(err, problem.NotFound("y", "one")) || errors.Is(err, problem.Conflict("x", "one")) {
		t.Error("problems are told apart by something else than status and code")
	}
	if !errors.Is(err, errInternal) {
		t.Error("the cause is lost")
	}
}

func TestHeadHasNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil), problem.NotFound("x", "y"))
	if w.Code != 404 || w.Body.Len() != 0 {
		t.Error(w.Code, w.Body)
	}
}

func TestAbortStopsTheChainAndKeepsTheErrorForTheLog(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, tt := range []struct {
		err  error
		kept string
	}{{errInternal, "500 internal_error: dial tcp 10.0.0.7:5432: password=[redacted]"}, {problem.NotFound("x", "y"), ""}} {
		engine, kept := gin.New(), ""
		engine.Use(func(c *gin.Context) { c.Next(); kept = strings.Join(c.Errors.Errors(), ",") })
		engine.GET("/", func(c *gin.Context) { problem.Abort(c, tt.err) }, func(*gin.Context) { t.Error("the chain goes on") })
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if kept != tt.kept || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("kept %q, want %q", kept, tt.kept)
		}
	}
}

func TestAbortAfterAnAnswerHasBegunWritesNothing(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "half"); problem.Abort(c, errInternal) })
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Body.String() != "half" {
		t.Error(w.Body)
	}
}
