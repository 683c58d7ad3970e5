package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

// there is a part that can be had at once.
func there(name string) Part {
	return Part{Name: name, Get: func(context.Context) error { return nil }}
}

// after is a part that can be had, or fails with err, after a time, unless its context ends first.
func after(name string, d time.Duration, err error) Part {
	return Part{Name: name, Get: func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

const ever = 1000 * time.Hour

func TestPartsAreHadAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		missing, err := All(t.Context(), after("a", time.Second, nil), after("b", 2*time.Second, nil), after("c", 3*time.Second, nil))
		if len(missing) > 0 || err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v, %v after %v", missing, err, time.Since(start))
		}
	})
}

func TestPartThatFailsIsLeftOutAndNamed(t *testing.T) {
	for name, err := range map[string]error{
		"a failure":          problem.BadGateway("dependency_failed", ""),
		"a full bulkhead":    problem.Unavailable("dependency_busy", ""),
		"too many requests":  problem.TooManyRequests("slow_down", "", time.Second),
		"a late callee":      context.DeadlineExceeded,
		"too early":          problem.New(http.StatusTooEarly, "", ""),
		"anything else":      errors.New("boom"),
		"a timeout (408)":    problem.New(http.StatusRequestTimeout, "", ""),
		"a cancelled callee": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				missing, all := All(t.Context(), after("a", time.Second, fmt.Errorf("wrapped: %w", err)), there("b"), after("c", time.Second, err))
				if diff := cmp.Diff([]string{"a", "c"}, missing); diff != "" || all != nil {
					t.Error(diff, all)
				}
			})
		})
	}
}

func TestHungPartTakesItsLimitAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, at := after("hung", ever, nil), time.Duration(0)
		hung.Limit = 500 * time.Millisecond
		start := time.Now()
		quick := Part{Name: "quick", Get: func(context.Context) error { at = time.Since(start); return nil }}
		missing, err := All(t.Context(), hung, quick)
		if diff := cmp.Diff([]string{"hung"}, missing); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if at != 0 || time.Since(start) != hung.Limit {
			t.Errorf("the others were there after %v and all after %v, want 0 and %v", at, time.Since(start), hung.Limit)
		}
	})
}

func TestRefusalEndsTheWholeAtOnce(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 422} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			missing, err := All(t.Context(), after("slow", ever, nil), after("refused", time.Second, problem.New(status, "no", "")))
			if p := problem.From(err); len(missing) > 0 || p == nil || p.Status != status || p.Code != "no" {
				t.Errorf("%d: %v, %v", status, missing, err)
			}
			if time.Since(start) != time.Second {
				t.Errorf("%d: it took %v", status, time.Since(start))
			}
		})
	}
}

func TestRequiredPartEndsTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		required := after("required", time.Second, problem.BadGateway("gone", ""))
		required.Required = true
		if _, err := All(t.Context(), after("slow", ever, nil), required, there("there")); !errors.Is(err, problem.BadGateway("gone", "")) {
			t.Error(err)
		}
	})
}

// TestFirstReasonIsTold: the parts that are cancelled because of it fail as well, some of them with a status of their own.
func TestFirstReasonIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := Part{Name: "other", Required: true, Get: func(ctx context.Context) error {
			<-ctx.Done()
			return problem.NotFound("other", "")
		}}
		if _, err := All(t.Context(), other, after("refused", time.Second, problem.Forbidden("first", ""))); !errors.Is(err, problem.Forbidden("first", "")) {
			t.Error(err)
		}
	})
}

func TestNothingAtAllIsUnavailable(t *testing.T) {
	boom := errors.New("boom")
	busy := func(again time.Duration) error { return problem.Unavailable("busy", "").WithRetryAfter(again) }
	_, err := All(t.Context(), after("a", 0, boom), after("b", 0, problem.BadGateway("", "")), after("c", 0, busy(7*time.Second)), after("d", 0, busy(time.Second)))
	if p := problem.From(err); p == nil || p.Status != http.StatusServiceUnavailable || p.Code != "parts_unavailable" || !errors.Is(err, boom) {
		t.Error(err)
	} else if p.RetryAfter != 7*time.Second {
		t.Errorf("to be tried again after %s, want the longest of the parts", p.RetryAfter)
	}
}

func TestEndOfTheRequestEndsTheParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := All(ctx, there("there"), after("slow", ever, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("after its deadline:", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := All(gone, there("there"), after("slow", ever, nil)); !errors.Is(err, context.Canceled) {
			t.Error("when the client is gone:", err)
		}
		if missing, err := All(gone, there("there")); len(missing) > 0 || err != nil {
			t.Error("what is whole is given:", missing, err)
		}
	})
}

func TestPanicOfAPartIsTheCallers(t *testing.T) {
	defer func() {
		if told, _ := recover().(string); !strings.Contains(told, "part bad: oh") || !strings.Contains(told, "TestPanicOfAPartIsTheCallers") {
			t.Errorf("recovered %q, want the part, the reason and the stack", told)
		}
	}()
	_, err := All(t.Context(), after("slow", ever, nil), Part{Name: "bad", Get: func(context.Context) error { panic("oh") }})
	t.Error("there was no panic, but", err)
}

func TestTraceShowsWhatWasLeftOut(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, span := provider.Tracer("test").Start(t.Context(), "handle")
	if _, err := All(ctx, there("a"), after("b", 0, errors.New("boom"))); err != nil {
		t.Fatal(err)
	}
	span.End()
	events := spans.Ended()[0].Events()
	if len(events) != 1 || events[0].Name != "part left out" || events[0].Attributes[0].Value.AsString() != "b" {
		t.Errorf("%+v", events)
	}
}

func TestRefusedPassesOnWhatIsTheClients(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   *problem.Problem
	}{
		{403, `{"code": "insufficient_scope", "detail": "No."}`, problem.Forbidden("insufficient_scope", "No.")},
		{404, `{"code": "user_not_found"}`, problem.NotFound("user_not_found", "")},
		{401, `<html>`, problem.Unauthorized("unauthorized", "")},
		{400, `{"code": "bad"}`, problem.BadGateway("dependency_failed", "")},
		{422, `{"code": "bad"}`, problem.BadGateway("dependency_failed", "")},
		{429, ``, problem.BadGateway("dependency_failed", "")},
		{500, `{"code": "internal_error"}`, problem.BadGateway("dependency_failed", "")},
		{200, `<html>`, problem.BadGateway("dependency_failed", "")},
	} {
		err := Refused("users", test.status, []byte(test.body))
		if !errors.Is(err, test.want) || test.want.Detail != "" && problem.From(err).Detail != test.want.Detail {
			t.Errorf("%d %s: %v, want %v", test.status, test.body, err, test.want)
		}
	}
}

func TestWhatCannotBeReadIsTheCalleesFailure(t *testing.T) {
	unreadable := json.Unmarshal([]byte(`{"id":`), &struct{}{})
	for _, test := range []struct {
		err  error
		want int
	}{
		{unreadable, http.StatusBadGateway},
		{&httpclient.Error{Callee: "users", Err: context.DeadlineExceeded}, http.StatusGatewayTimeout},
		{&httpclient.Error{Callee: "users", Err: httpclient.ErrOpen}, http.StatusServiceUnavailable},
	} {
		if err := Failed("users", test.err); problem.From(err).Status != test.want || !errors.Is(err, test.err) {
			t.Errorf("%v: %v, want %d", test.err, err, test.want)
		}
	}
}
