package chassis

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/health"
)

var local = []string{"APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0", "APP_SHUTDOWN_DELAY=0s"}

func environment(more ...string) []string { return append(slices.Clone(local), more...) }

func noWire(context.Context, *Service) error { return nil }

// serving runs a service until the test is done with it; the result stops it.
func serving(t *testing.T, spec Spec, wire Wire, opt Options) (s *Service, stop func() error) {
	t.Helper()
	started, result := make(chan *Service, 1), make(chan error, 1)
	opt.Started = func(s *Service) { started <- s }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { result <- Run(ctx, spec, wire, opt) }()
	select {
	case s = <-started:
	case err := <-result:
		cancel()
		t.Fatalf("it did not start: %v", err)
	}
	return s, func() error {
		cancel()
		return <-result
	}
}

// journal notes what happened in which order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) note(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

// untilStopped is work that notes its end.
func (j *journal) untilStopped(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.note(name)
		return nil
	}
}

// consumerFunc is a consumer for a test.
type consumerFunc func(context.Context) error

func (f consumerFunc) Run(ctx context.Context) error { return f(ctx) }

func TestEverythingStopsAfterWhatFeedsIt(t *testing.T) {
	var j journal
	var address string
	consumer := func(ctx context.Context) error {
		<-ctx.Done()
		status, err := get(context.WithoutCancel(ctx), "http://"+address+"/hello")
		if status != http.StatusNoContent || err != nil {
			t.Errorf("while the consumer stops, a request gives %d, %v; want 204", status, err)
		}
		j.note("consumer")
		return nil
	}
	spec := Spec{Name: "shop", Consumes: []string{"stock.changed.v1"}}
	s, stop := serving(t, spec, func(_ context.Context, s *Service) error {
		s.Router().GET("/hello", func(c *gin.Context) { c.Status(http.StatusNoContent) })
		s.closeLast("pool", func() error { j.note("pool"); return nil })
		s.OnStop("first", func(context.Context) error { j.note("first hook"); return nil })
		s.OnStop("second", func(context.Context) error { j.note("second hook"); return nil })
		s.relays.Go("relay", j.untilStopped("relay"))
		s.Go("worker", func(ctx context.Context) error {
			<-ctx.Done()
			if _, err := get(context.WithoutCancel(ctx), "http://"+address+"/hello"); err == nil {
				t.Error("while workers stop, the API still answers")
			}
			j.note("worker")
			return nil
		})
		s.Consume("stock.changed.v1", func(context.Context, event.Event) error { return nil })
		return nil
	}, Options{
		Environ:     environment("APP_KAFKA_BROKERS=localhost:1"),
		newConsumer: func(*Service) (runner, error) { return consumerFunc(consumer), nil },
	})
	address = s.Addr()
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := []string{"consumer", "worker", "relay", "second hook", "first hook", "pool"}
	if d := cmp.Diff(want, j.entries); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

func get(ctx context.Context, url string) (int, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return probe(ctx, client, url)
}

func TestFaultOfAWorkerStopsTheService(t *testing.T) {
	broken := errors.New("no more disk")
	var j journal
	err := Run(t.Context(), Spec{Name: "shop"}, func(_ context.Context, s *Service) error {
		s.Go("done", func(context.Context) error { return nil }) // finished work stops nothing
		s.Go("other", j.untilStopped("other"))
		s.Go("broken", func(context.Context) error { return broken })
		return nil
	}, Options{Environ: local})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "broken: ") {
		t.Errorf("err = %v, want the worker's, with its name", err)
	}
	if !slices.Contains(j.entries, "other") {
		t.Error("the other worker was not stopped")
	}
}

func TestErrorsOfTheStopAreReported(t *testing.T) {
	late := errors.New("could not save")
	_, stop := serving(t, Spec{Name: "shop"}, func(_ context.Context, s *Service) error {
		s.Go("saver", func(ctx context.Context) error {
			<-ctx.Done()
			return late
		})
		s.Go("obedient", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s.OnStop("panics", func(context.Context) error { panic("oh") })
		return nil
	}, Options{Environ: local})
	want := "stop workers: saver: could not save\nrun stop hooks: panics: panic: oh"
	if err := stop(); err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
}

func TestWorkerThatDoesNotStopIsNamed(t *testing.T) {
	release := make(chan struct{})
	_, stop := serving(t, Spec{Name: "shop"}, func(_ context.Context, s *Service) error {
		s.Go("stubborn", func(context.Context) error {
			<-release
			return nil
		})
		return nil
	}, Options{Environ: environment("APP_SHUTDOWN_TIMEOUT=50ms")})
	err := stop()
	close(release)
	if err == nil || !strings.Contains(err.Error(), "stop workers: stubborn did not stop in time") {
		t.Errorf("err = %v, want the worker named", err)
	}
}

func TestStartFailuresSayWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	call := func(callee string) Wire {
		return func(_ context.Context, s *Service) error { _, err := s.Client(callee); return err }
	}
	consume := func(types ...string) Wire {
		return func(_ context.Context, s *Service) error {
			for _, typ := range types {
				s.Consume(typ, func(context.Context, event.Event) error { return nil })
			}
			return nil
		}
	}
	open := func(ctx context.Context, s *Service) error { _, err := s.Database(ctx, nil); return err }
	cache := func(ctx context.Context, s *Service) error { _, err := s.Cache(ctx); return err }
	publish := func(ctx context.Context, s *Service) error { _, err := s.Publisher(ctx); return err }
	for name, tc := range map[string]struct {
		spec Spec
		env  []string
		wire Wire
		want []string
	}{
		"no address of a callee": {Spec{Calls: []Call{{Service: "user-profile"}}}, nil, call("user-profile"), []string{"calls.user-profile.url", "APP_CALLS_USER_PROFILE_URL"}},
		"undeclared call":        {Spec{}, nil, call("catalog"), []string{"call catalog", "service.yaml", "scaffold sync"}},
		"undeclared event":       {Spec{}, nil, consume("a.v1"), []string{"consume a.v1", "events.consumes", "scaffold sync"}},
		"two handlers":           {Spec{Consumes: []string{"a.v1"}}, nil, consume("a.v1", "a.v1"), []string{"consume a.v1: it has a handler already"}},
		"no brokers to consume":  {Spec{Consumes: []string{"a.v1"}}, nil, consume("a.v1"), []string{"consume events", "APP_KAFKA_BROKERS"}},
		"no brokers to publish":  {Spec{Publishes: []string{"a.v1"}}, nil, publish, []string{"publish events", "APP_KAFKA_BROKERS"}},
		"no database":            {Spec{Database: true}, nil, open, []string{"open the database", "APP_DATABASE_URL", "sqlite:///"}},
		"undeclared database":    {Spec{}, nil, open, []string{"open the database", "database.kind"}},
		"no cache":               {Spec{Cache: true}, nil, cache, []string{"open the cache", "APP_REDIS_URL", "redis://"}},
		"undeclared cache":       {Spec{}, nil, cache, []string{"open the cache", "cache.kind"}},
		"wrong cache":            {Spec{Cache: true}, []string{"APP_REDIS_URL=http://secret@x"}, cache, []string{"open the cache", "redis://host:6379/0"}},
		"unknown variable":       {Spec{}, []string{"APP_HTTP_ADR=:1"}, noWire, []string{"APP_HTTP_ADR", "APP_HTTP_ADDR"}},
		"port taken":             {Spec{}, []string{"APP_HTTP_ADDR=" + taken.Addr().String()}, noWire, []string{taken.Addr().String(), "in use"}},
		"broken contract":        {Spec{Contract: []byte("openapi: [")}, nil, noWire, []string{"contract"}},
		"wire's own":             {Spec{}, nil, func(context.Context, *Service) error { return errors.New("no licence") }, []string{"no licence"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Name = "shop"
			err := Run(t.Context(), tc.spec, tc.wire, Options{Environ: environment(tc.env...)})
			if err == nil || !strings.HasPrefix(err.Error(), "cannot start: ") || strings.Contains(err.Error(), "secret") {
				t.Fatalf("err = %v, want why it cannot start", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want it to say %q", err, want)
				}
			}
			if exitCode(err) != 1 {
				t.Errorf("exit code %d, want 1", exitCode(err))
			}
		})
	}
}

func TestRequestsEndWithTheDeclaredTimeout(t *testing.T) {
	left := make(chan time.Duration, 1)
	s, stop := serving(t, Spec{Name: "greeter", Timeout: 7 * time.Second}, func(_ context.Context, s *Service) error {
		s.Router().GET("/", func(c *gin.Context) {
			deadline, _ := c.Request.Context().Deadline()
			left <- time.Until(deadline)
		})
		return nil
	}, Options{Environ: environment()})
	answer, err := http.Get("http://" + s.Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got := <-left; got <= 0 || got > 7*time.Second {
		t.Errorf("%v left, want at most 7s", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServiceHasKeysOfItsOwn(t *testing.T) {
	var own struct {
		Greeting struct {
			Text string `config:"text" default:"Hello" doc:"how to greet"`
		} `config:"greeting"`
	}
	_, stop := serving(t, Spec{Name: "shop"}, func(_ context.Context, s *Service) error { return s.Config(&own) },
		Options{Environ: environment("APP_GREETING_TEXT=Servus")})
	if err := stop(); err != nil || own.Greeting.Text != "Servus" {
		t.Errorf("text %q, %v; want Servus", own.Greeting.Text, err)
	}
}

func TestStopWhileStartingIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, Spec{Name: "shop"}, func(ctx context.Context, _ *Service) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}, Options{Environ: local})
	if err != nil {
		t.Errorf("err = %v, want none", err)
	}
}

var tables = fstest.MapFS{
	"20260101000000_init.up.sql":   {Data: []byte("CREATE TABLE greetings (id TEXT PRIMARY KEY);")},
	"20260101000000_init.down.sql": {Data: []byte("DROP TABLE greetings;")},
}

// more is a set of tables beside those of the service.
var more = database.Named("more", fstest.MapFS{"1_more.up.sql": {Data: []byte("CREATE TABLE parcels (id TEXT PRIMARY KEY);")}})

// migrated tells whether the tables exist after running a service with a database; either all of them do or none.
func migrated(t *testing.T, args []string, env ...string) bool {
	t.Helper()
	url := "sqlite://" + filepath.Join(t.TempDir(), "shop.db")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := Run(ctx, Spec{Name: "shop", Database: true}, func(ctx context.Context, s *Service) error {
		db, err := s.Database(ctx, tables)
		if err != nil {
			return err
		}
		return s.Migrate(ctx, db, more)
	}, Options{
		Args: args, Environ: environment(append(env, "APP_DATABASE_URL="+url)...), Started: func(*Service) { cancel() },
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, own := db.ExecContext(t.Context(), "SELECT id FROM greetings")
	_, others := db.ExecContext(t.Context(), "SELECT id FROM parcels")
	if (own == nil) != (others == nil) {
		t.Errorf("of the service's own tables and the others: %v, %v", own, others)
	}
	return own == nil
}

func TestMigrationsRunAtTheStartUnlessAJobDoes(t *testing.T) {
	if !migrated(t, nil) {
		t.Error("an ordinary start did not migrate")
	}
	if migrated(t, nil, "APP_DATABASE_MIGRATE=false") {
		t.Error("a start with database.migrate=false migrated")
	}
	if !migrated(t, []string{"--migrate"}, "APP_DATABASE_MIGRATE=false") {
		t.Error("the job with --migrate did not")
	}
}

func TestDatabaseIsPartOfReadiness(t *testing.T) {
	s, stop := serving(t, Spec{Name: "shop", Database: true}, func(ctx context.Context, s *Service) error {
		_, err := s.Database(ctx, nil)
		return err
	}, Options{Environ: environment("APP_DATABASE_URL=sqlite://:memory:")})
	checks := s.Health().Report(t.Context()).Checks
	if checks["database"].Status != health.Up {
		t.Errorf("checks %v, want one of the database", checks)
	}
	if n, err := testutil.GatherAndCount(s.Registry()); n == 0 || err != nil {
		t.Errorf("%d metrics, %v", n, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestCacheIsObserved(t *testing.T) {
	server := miniredis.RunT(t)
	s, stop := serving(t, Spec{Name: "shop", Cache: true}, func(ctx context.Context, s *Service) error {
		cache, err := s.Cache(ctx)
		if err != nil {
			return err
		}
		again, err := s.Cache(ctx)
		if again != cache {
			t.Error("a second call gave another client")
		}
		if err := cache.Set(ctx, "a", "1", 0).Err(); err != nil {
			t.Error(err)
		}
		if err := cache.Get(ctx, "b").Err(); !errors.Is(err, redis.Nil) {
			t.Error(err)
		}
		_, pipeline := cache.Pipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "n").Err() })
		return errors.Join(err, pipeline)
	}, Options{Environ: environment("APP_REDIS_URL=redis://" + server.Addr())})
	families, err := s.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range families {
		if f.GetName() == "cache_command_duration_seconds" {
			for _, m := range f.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetLabel()[1].GetValue()
			}
		}
	}
	for command, status := range map[string]string{"set": "ok", "get": "miss", "pipeline": "ok"} {
		if got[command] != status {
			t.Errorf("%s: %q, want %q", command, got[command], status)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestClientFollowsTheDeclaration(t *testing.T) {
	callee := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer callee.Close()
	spec := Spec{Name: "shop", Calls: []Call{{Service: "catalog", Concurrency: 7}}}
	s, stop := serving(t, spec, func(ctx context.Context, s *Service) error {
		client, err := s.Client("catalog")
		if err != nil {
			return err
		}
		resp, err := client.HTTP.Get(client.URL)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}, Options{Environ: environment("APP_CALLS_CATALOG_URL=" + callee.URL)})
	want := `
# HELP http_client_bulkhead_limit Calls that may be under way to the callee at once.
# TYPE http_client_bulkhead_limit gauge
http_client_bulkhead_limit{callee="catalog"} 7
# HELP http_client_requests_total Calls to other services by callee, operation and status: an HTTP status, or why there is none.
# TYPE http_client_requests_total counter
http_client_requests_total{callee="catalog",operation="",status="418"} 1
`
	if err := testutil.GatherAndCompare(s.Registry(), strings.NewReader(want), "http_client_bulkhead_limit", "http_client_requests_total"); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestCalleeHasOneClient(t *testing.T) {
	spec := Spec{Name: "shop", Calls: []Call{{Service: "catalog"}, {Service: "users"}}}
	_, stop := serving(t, spec, func(_ context.Context, s *Service) error {
		first, err := s.Client("catalog")
		if err != nil {
			return err
		}
		again, err := s.Client("catalog")
		if err != nil {
			return err
		}
		users, err := s.Client("users")
		if err != nil {
			return err
		}
		if first != again || first == users {
			return errors.New("a callee has two clients, and so two bulkheads, or two callees have one")
		}
		return nil
	}, Options{Environ: environment("APP_CALLS_CATALOG_URL=http://catalog", "APP_CALLS_USERS_URL=http://users")})
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// output runs the service with one flag and gives what it prints.
func output(t *testing.T, flag string, env ...string) string {
	t.Helper()
	var out bytes.Buffer
	spec := Spec{Name: "shop", Version: "v1.2.3", Port: 8123, Database: true, Calls: []Call{{Service: "user-profile"}}}
	wire := func(context.Context, *Service) error {
		t.Error("it was wired")
		return nil
	}
	if err := Run(t.Context(), spec, wire, Options{Args: []string{flag}, Environ: env, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelpTeaches(t *testing.T) {
	got := output(t, "--help")
	for _, want := range []string{
		"shop v1.2.3", "--migrate", "--print-config", "CONFIG_FILE", "APP_DATABASE_URL_FILE",
		"http.addr", "APP_HTTP_ADDR", ":8123", "calls.user-profile.url", "APP_CALLS_USER_PROFILE_URL", "(needed)",
		"shutdown.delay", "5s", "database.migrate", "OTEL_EXPORTER_OTLP_ENDPOINT",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("help lacks %q:\n%s", want, got)
		}
	}
	for _, unused := range []string{"redis.url", "kafka.brokers"} {
		if strings.Contains(got, unused) {
			t.Errorf("help tells of %q, which the service does not use", unused)
		}
	}
}

func TestPrintConfigMasksSecretsAndNamesOrigins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte("log:\n  level: debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := output(t, "--print-config", "APP_DATABASE_URL=postgres://u:hunter2@db/shop", "CONFIG_FILE="+file,
		"APP_CALLS_USER_PROFILE_URL=http://user-profile")
	for _, want := range []string{"APP_DATABASE_URL", "[redacted]", "shop.yaml:2", "DEBUG", "http://user-profile", ":8123", "default"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "hunter2") {
		t.Errorf("it shows the password:\n%s", got)
	}
}

func TestVersion(t *testing.T) {
	if got := output(t, "-version"); !strings.HasPrefix(got, "shop v1.2.3 (go1.") {
		t.Errorf("version: %s", got)
	}
}

func TestVersionIsNeverEmpty(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), Spec{Name: "shop"}, noWire, Options{Args: []string{"--version"}, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	if len(strings.Fields(out.String())) != 4 {
		t.Errorf("version: %q, want the name, a version, Go's, and the platform", out.String())
	}
}

func TestWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{"--sevre"}, {"serve"}, {"--help", "me"}, {"-"}} {
		err := Run(t.Context(), Spec{Name: "shop"}, noWire, Options{Args: args})
		if !errors.Is(err, ErrUsage) || exitCode(err) != 2 || !strings.Contains(err.Error(), "shop --help") {
			t.Errorf("%v: %v, want exit code 2 and a hint", args, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{0: nil, 1: errors.New("x"), 130: ErrInterrupted} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit code %d, want %d", err, got, want)
		}
	}
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestASecondSignalWritesTheLinesThatWait(t *testing.T) {
	signals, stuck, release := make(chan os.Signal, 2), make(chan struct{}), make(chan struct{})
	var out safeBuffer
	_, stop := serving(t, Spec{Name: "shop"}, func(_ context.Context, s *Service) error {
		s.Go("worker", func(ctx context.Context) error {
			<-ctx.Done()
			s.Log().InfoContext(ctx, "the last words")
			close(stuck)
			<-release
			return nil
		})
		return nil
	}, Options{Environ: environment("APP_LOG_DELAY=1h"), Signals: signals, Stdout: &out})
	signals <- os.Interrupt
	<-stuck
	signals <- os.Interrupt
	if err := stop(); !errors.Is(err, ErrInterrupted) {
		t.Errorf("Run gave %v", err)
	}
	close(release)
	if text := out.String(); !strings.Contains(text, "the last words") {
		t.Errorf("the log ends with %q", text)
	}
}
