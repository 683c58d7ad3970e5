package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

// conformance checks what the package promises; open gives a new database with the table in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"a repetition gets the first answer":                      repetition,
		"another request with the key is refused":                 otherRequest,
		"the same JSON may be written otherwise":                  sameJSON,
		"forms and texts are compared too":                        otherBodies,
		"keys belong to a principal and an operation":             scopes,
		"a key in quotes is the key without":                      quotes,
		"a missing key is refused where it is required":           missing,
		"a malformed key is refused":                              malformed,
		"a repetition meanwhile is refused":                       meanwhile,
		"fifty at a time have one effect":                         fifty,
		"what was rolled back is carried out anew":                rolledBack,
		"a definitive refusal is kept, a momentary one is not":    refusals,
		"a panic gives the key up":                                panics,
		"an answer without Complete is kept and warned of":        withoutComplete,
		"a failure after the commit does not undo it":             failsAfterCommit,
		"a client that has gone gets its answer when it is back":  clientGone,
		"a lease that ran out is taken over, and its owner fails": takeover,
		"a claim given up is no later claim":                      laterClaim,
		"a lease that ran out is taken over once":                 takeoverOnce,
		"a key expires":                                         expiry,
		"an answer that is too large":                           tooLarge,
		"a body that is too large":                              bodyTooLarge,
		"the table shows neither key nor principal nor request": nothingShown,
		"a table that does not answer refuses":                  unavailable,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, idempotency.Migrations()) })
}

func repetition(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	first := s.post(request{key: "k"})
	carriedOut(t, first)
	if first.Header().Get("Set-Cookie") == "" {
		t.Error("the first answer lacks a header of the handler")
	}
	for range 2 {
		again := s.post(request{key: "k"})
		replayed(t, again, first)
		if again.Header().Get("Set-Cookie") != "" {
			t.Error("a cookie was kept")
		}
		if again.Header().Get("X-Request-Id") == first.Header().Get("X-Request-Id") {
			t.Error("a repetition has the request id of the first")
		}
	}
	carriedOut(t, s.post(request{key: "k2"}))
	s.orders(2)
	s.counted(map[string]float64{"executed": 2, "replayed": 2})
	if strings.Contains(s.log.String(), "without idempotency.Complete") {
		t.Error("a handler that completes its keys was warned of")
	}
}

// counted compares the outcomes counted for createOrder.
func (s *shop) counted(want map[string]float64) {
	s.t.Helper()
	lines := strings.Builder{}
	lines.WriteString("# HELP idempotency_requests_total Requests to operations that take an Idempotency-Key, by operation and outcome: " +
		"executed, replayed, mismatched, in_progress, refused, taken_over or failed.\n# TYPE idempotency_requests_total counter\n")
	for outcome, n := range want {
		fmt.Fprintf(&lines, "idempotency_requests_total{operation=\"createOrder\",outcome=%q} %v\n", outcome, n)
	}
	if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(lines.String()), "idempotency_requests_total"); err != nil {
		s.t.Error(err)
	}
}

func otherRequest(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	carriedOut(t, s.post(request{key: "k"}))
	for name, r := range map[string]request{
		"body":  {body: `{"name":"y","size":1}`},
		"path":  {path: "/v1/shops/b/orders"},
		"query": {path: "/v1/shops/a/orders?x=1"},
		"digit": {body: `{"name":"x","size":1.0}`},
	} {
		r.key = "k"
		t.Log(name)
		refusedAs(t, s.post(r), http.StatusUnprocessableEntity, "idempotency_key_reused")
	}
	s.orders(1)
	s.counted(map[string]float64{"executed": 1, "mismatched": 4})
}

func sameJSON(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	first := s.post(request{key: "k", body: `{"name":"x","size":1}`})
	replayed(t, s.post(request{key: "k", body: "{ \"size\": 1,\n\"name\": \"\\u0078\" }"}), first)
	s.orders(1)
}

func otherBodies(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain"} {
		var seen string
		s.handle = func(s *shop, c *gin.Context) error {
			seen = c.Request.PostForm.Get("name") + read(t, c.Request.Body)
			return create(s, c)
		}
		first := s.post(request{key: contentType, contentType: contentType, body: "name=x"})
		carriedOut(t, first)
		if !strings.Contains(seen, "x") {
			t.Errorf("the handler of %s saw %q", contentType, seen)
		}
		replayed(t, s.post(request{key: contentType, contentType: contentType, body: "name=x"}), first)
		refusedAs(t, s.post(request{key: contentType, contentType: contentType, body: "name=y"}), 422, "idempotency_key_reused")
	}
	s.orders(2)
}

func scopes(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	carriedOut(t, s.post(request{key: "k", token: "ada"}))
	carriedOut(t, s.post(request{key: "k", token: "eve"}))
	carriedOut(t, s.post(request{key: "k", token: "ada", path: "/v1/notes"}))
	// The parts of a scope cannot be moved from one to the other.
	carriedOut(t, s.post(request{key: "1k", token: "ada"}))
	carriedOut(t, s.post(request{key: "k", token: "ada1"}))
	s.orders(5)
}

func quotes(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	first := s.post(request{key: "8e03978e-40d5-43e8-bc93-6894a57f9324"})
	replayed(t, s.post(request{key: `"8e03978e-40d5-43e8-bc93-6894a57f9324"`}), first)
	s.orders(1)
}

func missing(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	refusedAs(t, s.post(request{}), http.StatusBadRequest, "idempotency_key_missing")
	s.orders(0)
	for range 2 {
		carriedOut(t, s.post(request{path: "/v1/notes"}))
	}
	s.orders(2)
}

func malformed(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	for _, path := range []string{"/v1/shops/a/orders", "/v1/notes"} {
		for _, values := range [][]string{{""}, {" "}, {"a b"}, {"a", "b"}, {"a,b"}, {"a;b=1"}, {`"a`}, {`"a";b=1`}, {`"a" "b"`}, {`"\a"`}, {"é"}, {"\x7f"}, {strings.Repeat("x", 256)}} {
			w := s.post(request{path: path, header: http.Header{"Idempotency-Key": values}})
			refusedAs(t, w, http.StatusBadRequest, "idempotency_key_malformed")
		}
	}
	s.orders(0)
	carriedOut(t, s.post(request{key: strings.Repeat("x", 255)}))
}

// blocking makes a handler that waits, and tells when it does.
func blocking(then handler) (act handler, waiting <-chan struct{}, goOn func()) {
	begun, end := make(chan struct{}, 1), make(chan struct{})
	return func(s *shop, c *gin.Context) error {
		begun <- struct{}{}
		<-end
		return then(s, c)
	}, begun, sync.OnceFunc(func() { close(end) })
}

// called waits until the handler is called.
func called(t *testing.T, waiting <-chan struct{}) {
	t.Helper()
	select {
	case <-waiting:
	case <-time.After(30 * time.Second):
		t.Fatal("the handler was not called for 30s")
	}
}

// inBackground sends a request and gives its answer later.
func (s *shop) inBackground(r request) <-chan *httptest.ResponseRecorder {
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- s.post(r) }()
	return answer
}

func meanwhile(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	act, waiting, goOn := blocking(create)
	defer goOn()
	s.handle = act
	answer := s.inBackground(request{key: "k"})
	called(t, waiting)
	w := s.post(request{key: "k"})
	refusedAs(t, w, http.StatusConflict, "idempotency_in_progress")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q, want 1", w.Header().Get("Retry-After"))
	}
	refusedAs(t, s.post(request{key: "k", body: "{}"}), http.StatusUnprocessableEntity, "idempotency_key_reused")
	goOn()
	first := <-answer
	carriedOut(t, first)
	replayed(t, s.post(request{key: "k"}), first)
	s.orders(1)
	s.counted(map[string]float64{"executed": 1, "in_progress": 1, "mismatched": 1, "replayed": 1})
}

func fifty(t *testing.T, db *database.DB) {
	for _, act := range []handler{create, careless} {
		s := openShop(t, db)
		s.handle = act
		before, err := s.db.NewSelect().Table("orders").Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint("fifty-", before)
		start, answers := make(chan struct{}), make(chan *httptest.ResponseRecorder, 50)
		for range cap(answers) {
			go func() {
				<-start
				answers <- s.post(request{key: key})
			}()
		}
		close(start)
		bodies := map[string]bool{}
		for range cap(answers) {
			switch w := <-answers; w.Code {
			case http.StatusCreated:
				bodies[w.Body.String()] = true
			case http.StatusConflict:
				refusedAs(t, w, http.StatusConflict, "idempotency_in_progress")
			default:
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
		}
		if len(bodies) != 1 || s.called.Load() != 1 {
			t.Errorf("%d different answers 201 and %d calls of the handler, want one of each", len(bodies), s.called.Load())
		}
		s.orders(before + 1)
	}
}

func rolledBack(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	s.handle = func(s *shop, c *gin.Context) error {
		err := s.db.InTx(c.Request.Context(), func(ctx context.Context, tx bun.Tx) error {
			return errors.Join(order(ctx, tx, "x"), idempotency.Complete(ctx, tx, created(c)), errors.New("made by the test"))
		})
		return err
	}
	refusedAs(t, s.post(request{key: "k"}), http.StatusInternalServerError, "internal_error")
	s.orders(0)
	s.handle = create
	carriedOut(t, s.post(request{key: "k"}))
	s.orders(1)
}

func refusals(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	for status, kept := range map[int]bool{
		400: true, 401: false, 402: true, 403: false, 404: true, 408: false, 409: true, 422: true, 425: false, 429: false, 499: false,
		500: false, 501: false, 503: false, 504: false,
	} {
		s.handle = func(*shop, *gin.Context) error { return problem.New(status, "made_by_the_test", "") }
		r := request{key: fmt.Sprint(status)}
		first := s.post(r)
		refusedAs(t, first, status, "made_by_the_test")
		s.handle = create
		if again := s.post(r); kept {
			replayed(t, again, first)
		} else {
			carriedOut(t, again)
		}
	}
}

func panics(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	s.handle = func(*shop, *gin.Context) error { panic("made by the test") }
	refusedAs(t, s.post(request{key: "k"}), http.StatusInternalServerError, "internal_error")
	s.handle = create
	carriedOut(t, s.post(request{key: "k"}))
	s.orders(1)
}

func withoutComplete(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	s.handle = careless
	first := s.post(request{key: "k"})
	carriedOut(t, first)
	replayed(t, s.post(request{key: "k"}), first)
	carriedOut(t, s.post(request{key: "k2"}))
	s.orders(2)
	if n := strings.Count(s.log.String(), "without idempotency.Complete"); n != 1 {
		t.Errorf("warned %d times of an operation that does not complete its keys, want once:\n%s", n, s.log)
	}
}

func failsAfterCommit(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	s.handle = func(s *shop, c *gin.Context) error {
		err := s.db.InTx(c.Request.Context(), func(ctx context.Context, tx bun.Tx) error {
			return errors.Join(order(ctx, tx, "x"), idempotency.Complete(ctx, tx, created(c)))
		})
		return errors.Join(err, errors.New("made by the test"))
	}
	if w := s.post(request{key: "k"}); w.Code != http.StatusInternalServerError {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	s.handle = create
	again := s.post(request{key: "k"})
	if again.Code != http.StatusCreated || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("answer %d %s, want the one that was committed", again.Code, again.Body)
	}
	s.orders(1)
}

func clientGone(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	for name, act := range map[string]handler{"complete": create, "careless": careless} {
		ctx, cancel := context.WithCancel(t.Context())
		s.handle = func(s *shop, c *gin.Context) error {
			err := act(s, c)
			cancel()
			return err
		}
		first := s.post(request{key: name, ctx: ctx})
		replayed(t, s.post(request{key: name}), first)
	}
	s.orders(2)
}

func takeover(t *testing.T, db *database.DB) {
	s := openShop(t, db, func(o *idempotency.Options) { o.Lease = time.Minute })
	act, waiting, goOn := blocking(create)
	defer goOn()
	s.handle = act
	slow := s.inBackground(request{key: "k"})
	called(t, waiting)
	s.pass(59 * time.Second)
	refusedAs(t, s.post(request{key: "k"}), http.StatusConflict, "idempotency_in_progress")
	s.pass(2 * time.Second)
	s.handle = create
	first := s.post(request{key: "k"})
	carriedOut(t, first)
	goOn()
	w := <-slow
	refusedAs(t, w, http.StatusConflict, "idempotency_taken_over")
	replayed(t, s.post(request{key: "k"}), first)
	s.orders(1)
	s.counted(map[string]float64{"executed": 2, "in_progress": 1, "taken_over": 1, "replayed": 1})
}

// laterClaim has three claims of one key: the first outlives its lease, the second gives up, the third is under way.
func laterClaim(t *testing.T, db *database.DB) {
	s := openShop(t, db, func(o *idempotency.Options) { o.Lease = time.Minute })
	one, oneWaits, oneGoesOn := blocking(create)
	defer oneGoesOn()
	s.handle = one
	first := s.inBackground(request{key: "k"})
	called(t, oneWaits)
	s.pass(2 * time.Minute)
	s.handle = func(*shop, *gin.Context) error { return problem.Unavailable("made_by_the_test", "") }
	refusedAs(t, s.post(request{key: "k"}), http.StatusServiceUnavailable, "made_by_the_test")
	three, threeWaits, threeGoesOn := blocking(create)
	defer threeGoesOn()
	s.handle = three
	third := s.inBackground(request{key: "k"})
	called(t, threeWaits)
	oneGoesOn()
	refusedAs(t, <-first, http.StatusConflict, "idempotency_taken_over")
	refusedAs(t, s.post(request{key: "k"}), http.StatusConflict, "idempotency_in_progress")
	threeGoesOn()
	carriedOut(t, <-third)
	s.orders(1)
}

func takeoverOnce(t *testing.T, db *database.DB) {
	s := openShop(t, db, func(o *idempotency.Options) { o.Lease = time.Minute })
	one, waiting, goOn := blocking(create)
	defer goOn()
	s.handle = one
	left := s.inBackground(request{key: "k"})
	called(t, waiting)
	s.pass(2 * time.Minute)
	s.handle = create
	answers := make(chan *httptest.ResponseRecorder, 20)
	for range cap(answers) {
		go func() { answers <- s.post(request{key: "k"}) }()
	}
	for range cap(answers) {
		if w := <-answers; w.Code != http.StatusCreated && w.Code != http.StatusConflict {
			t.Errorf("answer %d %s", w.Code, w.Body)
		}
	}
	goOn()
	refusedAs(t, <-left, http.StatusConflict, "idempotency_taken_over")
	if s.called.Load() != 2 {
		t.Errorf("the handler was called %d times, want 2", s.called.Load())
	}
	s.orders(1)
}

func expiry(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	first := s.post(request{key: "k"})
	s.pass(23 * time.Hour)
	replayed(t, s.post(request{key: "k"}), first)
	carriedOut(t, s.post(request{key: "younger"}))
	s.cleaned(0)
	s.pass(2 * time.Hour)
	carriedOut(t, s.post(request{key: "k", body: "{}"})) // expired, though not yet deleted: any request may have it
	s.pass(23 * time.Hour)
	s.cleaned(1)
	s.orders(3)
	s.pass(2 * time.Hour)
	s.cleaned(1)
	s.cleaned(0)
}

func (s *shop) cleaned(want int) {
	s.t.Helper()
	if n, err := s.keys.Clean(context.Background()); err != nil || n != want {
		s.t.Errorf("cleaned %d keys and %v, want %d", n, err, want)
	}
}

func tooLarge(t *testing.T, db *database.DB) {
	s := openShop(t, db, func(o *idempotency.Options) { o.AnswerLimit = 1000 })
	long := strings.Repeat("x", 400)
	s.handle = func(s *shop, c *gin.Context) error {
		for range 3 {
			c.String(http.StatusCreated, long)
		}
		return nil
	}
	if w := s.post(request{key: "late"}); w.Code != http.StatusCreated || w.Body.String() != long+long+long {
		t.Errorf("answer %d of %d bytes", w.Code, w.Body.Len())
	}
	refusedAs(t, s.post(request{key: "late"}), http.StatusConflict, "idempotency_answer_not_kept")

	s.handle = func(s *shop, c *gin.Context) error {
		return s.db.InTx(c.Request.Context(), func(ctx context.Context, tx bun.Tx) error {
			if err := order(ctx, tx, "x"); err != nil {
				return err
			}
			return idempotency.Complete(ctx, tx, func(w http.ResponseWriter) error {
				_, err := w.Write([]byte(long + long + long))
				return err
			})
		})
	}
	refusedAs(t, s.post(request{key: "complete"}), http.StatusInternalServerError, "internal_error")
	s.orders(0)
}

func bodyTooLarge(t *testing.T, db *database.DB) {
	s := openShop(t, db, func(o *idempotency.Options) { o.BodyLimit = 100 })
	for _, contentType := range []string{"application/json", "text/plain"} {
		body := `{"name":"` + strings.Repeat("x", 100) + `"}`
		refusedAs(t, s.post(request{key: "k", contentType: contentType, body: body}), http.StatusRequestEntityTooLarge, "body_too_large")
	}
	s.orders(0)
}

func nothingShown(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	carriedOut(t, s.post(request{key: "key-4711", token: "princess", body: `{"name":"4111111111111111"}`}))
	var rows []map[string]any
	if err := db.NewSelect().Table("idempotency").Scan(t.Context(), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	text := fmt.Sprintf("%s", rows)
	for _, secret := range []string{"4711", "princess", "4111111111111111", "secret=1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the table shows %s: %s", secret, text)
		}
	}
	// The same body under another key has another fingerprint: without the key nobody can find out a body by trying.
	carriedOut(t, s.post(request{key: "key-4712", token: "princess", body: `{"name":"4111111111111111"}`}))
	n, err := db.NewSelect().Table("idempotency").ColumnExpr("DISTINCT fingerprint").Count(t.Context())
	if err != nil || n != 2 {
		t.Errorf("%d fingerprints and %v, want 2", n, err)
	}
}

func unavailable(t *testing.T, db *database.DB) {
	s := openShop(t, db)
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE idempotency RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	w := s.post(request{key: "k"})
	refusedAs(t, w, http.StatusServiceUnavailable, "idempotency_unavailable")
	if w.Header().Get("Retry-After") != "5" || s.called.Load() != 0 {
		t.Errorf("Retry-After %q, %d calls of the handler", w.Header().Get("Retry-After"), s.called.Load())
	}
	s.counted(map[string]float64{"failed": 1})
}

func TestNeitherLogNorSpansShowAnAnswer(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	db, err := database.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "test.db"), database.Options{Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := database.Migrate(t.Context(), db, idempotency.Migrations()); err != nil {
		t.Fatal(err)
	}
	s := openShop(t, db)
	s.handle = func(s *shop, c *gin.Context) error {
		answer := func(w http.ResponseWriter) error {
			_, err := w.Write([]byte("4111111111111111"))
			return err
		}
		err := s.db.InTx(c.Request.Context(), func(ctx context.Context, tx bun.Tx) error { return idempotency.Complete(ctx, tx, answer) })
		return errors.Join(err, answer(c.Writer))
	}
	for range 2 {
		if w := s.post(request{key: "key-4711"}); w.Code != http.StatusOK {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
	}
	all := s.log.String()
	for _, span := range append(spans.GetSpans().Snapshots(), s.spans.GetSpans().Snapshots()...) {
		all += fmt.Sprintf("\n%s %v %v", span.Name(), span.Attributes(), span.Status())
	}
	if !strings.Contains(all, "UPDATE idempotency") {
		t.Fatalf("the table's own spans are missing in:\n%s", all)
	}
	for _, secret := range []string{"4111111111111111", "key-4711"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is shown in:\n%s", secret, all)
		}
	}
}

func TestCompleteWithoutAKeyDoesNothing(t *testing.T) {
	db := databasetest.New(t, nil) // without the table
	s := openShop(t, db)
	carriedOut(t, s.post(request{path: "/v1/notes"}))
	s.orders(1)
}

func TestNewRefuses(t *testing.T) {
	db := databasetest.New(t, nil)
	for name, opt := range map[string]idempotency.Options{
		"no operation": {},
		"an operation that is both required and optional": {Required: []string{"a"}, Optional: []string{"a"}},
	} {
		if _, err := idempotency.New(db, opt); err == nil {
			t.Errorf("took %s", name)
		}
	}
	if _, err := idempotency.New(nil, idempotency.Options{Required: []string{"a"}}); err == nil {
		t.Error("took no database")
	}
}
