package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/fault"
)

// hit sends a request to an operation behind the injector.
func hit(ctx context.Context, i *fault.Injector, operation string) (status int, panicked any) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(func(c *gin.Context) { i.Apply(c, operation) })
	engine.GET("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	w := httptest.NewRecorder()
	defer func() { panicked = recover() }()
	engine.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return w.Code, nil
}

func TestErrorHitsItsShareOfItsOperations(t *testing.T) {
	for name, tt := range map[string]struct {
		rule      fault.Rule
		draw      float64
		operation string
		want      int
	}{
		"all":                {fault.Rule{Error: 503, Share: 1}, 0.99, "get", 503},
		"within the share":   {fault.Rule{Error: 503, Share: 0.05}, 0.04, "get", 503},
		"beyond the share":   {fault.Rule{Error: 503, Share: 0.05}, 0.05, "get", 200},
		"its operation":      {fault.Rule{Error: 500, Share: 1, Operations: []string{"list", "get"}}, 0, "get", 500},
		"another operation":  {fault.Rule{Error: 500, Share: 1, Operations: []string{"list"}}, 0, "get", 200},
		"a client's mistake": {fault.Rule{Error: 429, Share: 1}, 0, "get", 429},
	} {
		t.Run(name, func(t *testing.T) {
			i := fault.New(fault.Options{Rand: func() float64 { return tt.draw }})
			if err := i.Set(tt.rule); err != nil {
				t.Fatal(err)
			}
			if got, _ := hit(t.Context(), i, tt.operation); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
			i.Clear()
			if got, _ := hit(t.Context(), i, tt.operation); got != 200 {
				t.Errorf("status %d after Clear", got)
			}
		})
	}
}

func TestDelayHoldsUpThenGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := fault.New(fault.Options{})
		if err := i.Set(fault.Rule{Delay: 200 * time.Millisecond, Share: 1}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		status, _ := hit(t.Context(), i, "get")
		if took := time.Since(begin); took != 200*time.Millisecond || status != 200 {
			t.Error(took, status)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin = time.Now()
		status, _ = hit(ctx, i, "get")
		if took := time.Since(begin); took != 50*time.Millisecond || status != http.StatusGatewayTimeout {
			t.Error(took, status)
		}
	})
}

func TestRefusePanicsForNetHTTPToCloseTheConnection(t *testing.T) {
	i := fault.New(fault.Options{})
	if err := i.Set(fault.Rule{Refuse: true, Share: 1}); err != nil {
		t.Fatal(err)
	}
	_, panicked := hit(t.Context(), i, "get")
	if err, ok := panicked.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		t.Error(panicked)
	}
}

func call(t *testing.T, i *fault.Injector, method, body string) (status int, answer string) {
	t.Helper()
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/fault", strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestHandlerSetsShowsAndClears(t *testing.T) {
	i := fault.New(fault.Options{})
	const rule = `{"delay":"200ms","error":503,"share":0.05,"operations":["getOrder"]}`
	for _, step := range []struct {
		method, body string
		status       int
		answer       string
	}{
		{"GET", "", 200, "{}"},
		{"PUT", rule, 200, rule},
		{"GET", "", 200, rule},
		{"PUT", `{"refuse":true}`, 200, `{"refuse":true,"share":1}`},
		{"DELETE", "", 204, ""},
		{"GET", "", 200, "{}"},
	} {
		if status, answer := call(t, i, step.method, step.body); status != step.status || answer != step.answer {
			t.Errorf("%s %s: %d %s, want %d %s", step.method, step.body, status, answer, step.status, step.answer)
		}
	}
}

func TestHandlerRefusesWhatIsNotPossible(t *testing.T) {
	i := fault.New(fault.Options{})
	for body, want := range map[string]struct {
		status int
		part   string
	}{
		`{"error":503,"share":0}`:          {422, `"pointer":"/share"`},
		`{"error":503,"share":1.01}`:       {422, `"pointer":"/share"`},
		`{"error":503,"share":-1}`:         {422, `"pointer":"/share"`},
		`{"error":200}`:                    {422, `"pointer":"/error"`},
		`{"error":600}`:                    {422, `"pointer":"/error"`},
		`{"delay":"-1s"}`:                  {422, `"pointer":"/delay"`},
		`{"delay":"1h"}`:                   {422, `"pointer":"/delay"`},
		`{"delay":"soon"}`:                 {400, "delay is no duration"},
		`{"refuse":true,"error":503}`:      {422, `"pointer":"/refuse"`},
		`{}`:                               {422, "must have a delay"},
		`{"errror":503}`:                   {400, "errror"},
		`[]`:                               {400, "malformed_body"},
		``:                                 {400, "malformed_body"},
		`{"error":503} {}`:                 {400, "malformed_body"},
		"{" + strings.Repeat(" ", 1<<17):   {413, "body_too_large"},
		strings.Repeat(`{"delay":`, 10000): {413, "body_too_large"},
	} {
		if status, answer := call(t, i, http.MethodPut, body); status != want.status || !strings.Contains(answer, want.part) {
			t.Errorf("%.60s: %d %s, want %d with %s", body, status, answer, want.status, want.part)
		}
	}
	if _, set := i.Rule(); set {
		t.Error("a refused rule is in force")
	}
	if status, _ := call(t, i, http.MethodPost, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}
}

func TestRuleSurvivesJSON(t *testing.T) {
	want := fault.Rule{Delay: 1500 * time.Millisecond, Error: 502, Share: 0.25, Operations: []string{"a"}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got fault.Rule
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheRuleInForceIsACopy(t *testing.T) {
	i := fault.New(fault.Options{})
	operations := []string{"get"}
	if err := i.Set(fault.Rule{Error: 503, Share: 1, Operations: operations}); err != nil {
		t.Fatal(err)
	}
	operations[0] = "list"
	if status, _ := hit(t.Context(), i, "get"); status != 503 {
		t.Error(status)
	}
}

func BenchmarkNoRule(b *testing.B) {
	i := fault.New(fault.Options{})
	b.ReportAllocs()
	for b.Loop() {
		i.Apply(nil, "get")
	}
}
