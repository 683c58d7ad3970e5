package contractfuzz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/auth"
)

// Service is a service to be tried.
type Service struct {
	// Spec and Wire are what its main gives to chassis.Main.
	Spec chassis.Spec
	Wire chassis.Wire
	// Callees are the contracts of the services that it calls.
	Callees map[string][]byte
	// Doubles answer in a callee's place when it is to behave, where an answer must make sense for anything to happen. Without one, it
	// is made of the contract alone.
	Doubles map[string]http.Handler
	// Passes says that the service passes answers on as they are, so that those of a callee that does not behave are not its own.
	Passes bool
	// Environ is configuration of its own, "APP_KEY=value". Dir is a folder of the test.
	Environ func(dir string) []string
	// Authorization gives the Authorization header of somebody who may do everything, where the service does not take tokens of this
	// package: because it issues them itself.
	Authorization func(ctx context.Context, url string) (string, error)
}

// Run tries the service with the inputs that the fuzzer makes, beginning with some for each operation of the contract.
func Run(f *testing.F, s Service) {
	f.Helper()
	h := start(f, s)
	for _, input := range h.seeds() {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if err := h.try(t.Context(), input); err != nil {
			t.Fatal(err)
		}
	})
}

// Issuer and Audience are those of the tokens that the service gets.
const (
	Issuer   = "https://contractfuzz.example"
	Audience = "contractfuzz"
)

// harness is a running service with all around it.
type harness struct {
	base          string
	all           []*operation
	callees       callees
	passes        bool
	log           watch
	client        http.Client
	authorization [absent + 1]string
	count         int
	ended         chan error // gets how the service ended
}

const (
	startTime   = time.Minute
	requestTime = 30 * time.Second // a request that takes longer hangs
)

// start runs the service until the test ends.
func start(t testing.TB, s Service) *harness {
	t.Helper()
	h := &harness{passes: s.Passes, ended: make(chan error, 1), client: http.Client{
		Timeout: requestTime, Transport: &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var err error
	if h.all, err = operations(s.Spec.Contract); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { // the last, after all that is started here has ended
		h.client.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(before); err != nil {
			t.Errorf("the service has ended, and left behind: %v", err)
		}
	})
	environ := h.surroundings(t, s)
	// A test does not wait for retries; that they are made is tested elsewhere.
	calls := make([]chassis.Call, len(s.Spec.Calls))
	for i, call := range s.Spec.Calls {
		call.Attempts = 1
		calls[i] = call
	}
	s.Spec.Calls = calls

	ctx, stop := context.WithCancel(context.Background())
	started := make(chan string, 1)
	go func() {
		h.ended <- chassis.Run(ctx, s.Spec, s.Wire, chassis.Options{
			Environ: environ, Stdout: &h.log, Started: func(s *chassis.Service) { started <- s.Addr() },
		})
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-h.ended:
			if err != nil {
				t.Errorf("the service ended with %v", err)
			}
		case <-time.After(startTime):
			t.Error("the service does not end")
		}
	})
	select {
	case addr := <-started:
		h.base = "http://" + addr
	case err := <-h.ended:
		h.ended <- nil // said here
		t.Fatalf("the service does not start: %v", err)
	case <-time.After(startTime):
		t.Fatalf("the service does not start within %v:\n%s", startTime, &h.log)
	}
	if s.Authorization != nil {
		if h.authorization[everything], err = s.Authorization(ctx, h.base); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// surroundings starts what the service needs and gives the configuration that says where it is.
func (h *harness) surroundings(t testing.TB, s Service) []string {
	t.Helper()
	dir := t.TempDir()
	environ := []string{
		"APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0", "APP_SHUTDOWN_DELAY=0s", "APP_TELEMETRY_RATIO=0",
		"APP_LOG_DELAY=0s", "APP_AUTH_ISSUER=" + Issuer, "APP_AUTH_AUDIENCE=" + Audience, "APP_AUTH_JWKS=" + h.tokens(t),
	}
	if s.Spec.Database {
		environ = append(environ, "APP_DATABASE_URL=sqlite://"+filepath.ToSlash(filepath.Join(dir, "service.db")))
	}
	for _, shard := range s.Spec.Shards {
		environ = append(environ, "APP_DATABASE_SHARDS_"+variable(shard)+"_URL=sqlite://"+filepath.ToSlash(filepath.Join(dir, shard+".db")))
	}
	if s.Spec.Cache {
		redis := miniredis.RunT(t)
		environ = append(environ, "APP_REDIS_URL=redis://"+redis.Addr())
	}
	if len(s.Spec.Publishes)+len(s.Spec.Consumes) > 0 {
		kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, s.Spec.Publishes...), kfake.SeedTopics(1, s.Spec.Consumes...),
			kfake.SeedTopics(1, s.Spec.Name+".dead"), kfake.GroupMinSessionTimeout(100*time.Millisecond),
			kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(kafka.Close)
		environ = append(environ, "APP_KAFKA_BROKERS="+strings.Join(kafka.ListenAddrs(), ","))
	}
	for _, call := range s.Spec.Calls {
		contract := s.Callees[call.Service]
		if contract == nil {
			t.Fatalf("%s calls %s, and Callees has no contract of that", s.Spec.Name, call.Service)
		}
		server, err := h.callees.serve(contract, s.Doubles[call.Service])
		if err != nil {
			t.Fatalf("the contract of %s: %v", call.Service, err)
		}
		t.Cleanup(server.Close)
		environ = append(environ, "APP_CALLS_"+variable(call.Service)+"_URL="+server.URL)
	}
	if s.Environ != nil {
		environ = append(environ, s.Environ(dir)...)
	}
	return environ
}

// variable is a name as it stands in an environment variable.
func variable(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// tokens makes the Authorization headers, and gives the URL of the keys that they are signed with.
func (h *harness) tokens(t testing.TB) string {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerOptions{Issuer: Issuer, Audience: Audience, Lifetime: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSigningKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.Use([]auth.SigningKey{key}); err != nil {
		t.Fatal(err)
	}
	var scopes []string
	if components := h.all[0].route.Spec.Components; components != nil {
		for _, security := range components.SecuritySchemes {
			if flows := security.Value.Flows; flows != nil && flows.ClientCredentials != nil {
				scopes = slices.AppendSeq(scopes, maps.Keys(flows.ClientCredentials.Scopes))
			}
		}
	}
	for which, granted := range map[token][]string{everything: scopes, nothing: nil} {
		text, _, err := issuer.Issue(auth.Grant{Subject: "contractfuzz", Client: "contractfuzz", Scopes: granted})
		if err != nil {
			t.Fatal(err)
		}
		h.authorization[which] = "Bearer " + text
	}
	h.authorization[forged] = h.authorization[everything] + "x"
	jwks, err := issuer.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) }))
	t.Cleanup(server.Close)
	return server.URL
}

// seeds are the first inputs: each operation as the contract asks for it, alone and after each that writes, and with choices that look
// random and are the same in each run.
func (h *harness) seeds() [][]byte {
	var plain, mixed [][]byte
	for i := range h.all {
		plain = append(plain, []byte{0, byte(i)})
		for j, before := range h.all {
			if before.method == http.MethodPost || before.method == http.MethodPut {
				plain = append(plain, []byte{1, byte(j), byte(i)})
			}
		}
		random := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // repeatable
		for range 12 {
			input := make([]byte, 2+random.IntN(80))
			for at := range input {
				input[at] = byte(random.Uint32()) //nolint:gosec // any byte
			}
			input[0], input[1] = input[0]%2, byte(i)
			mixed = append(mixed, input)
		}
	}
	return append(plain, mixed...)
}

// try sends the requests of an input; its error shows the one whose answer is wrong.
func (h *harness) try(ctx context.Context, input []byte) error {
	var ids []string
	for _, part := range split(input) {
		h.count++
		r := compose(h.all, part, ids, h.count)
		found, err := h.send(ctx, r)
		if err != nil {
			return fmt.Errorf("%w\n%s\n\nthe service's last lines:\n%s", err, r, &h.log)
		}
		ids = append(ids, found...)
	}
	return nil
}

// send sends a request, checks the answer and gives the ids in it.
func (h *harness) send(ctx context.Context, r *call) ([]string, error) {
	req := r.request(ctx, h.base, h.authorization)
	if req == nil {
		return nil, nil
	}
	h.callees.behave(r.conduct)
	defer h.callees.behave(choices{})
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("no answer: %w", err), h.alive())
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := r.check(req, resp, h.callees.askedLately())
	if h.passes && h.callees.haveStrayed() {
		err = nil
	}
	// A callee that is not honest may say that nobody is let in, and the service may well pass that on.
	if err == nil && r.flawless && !r.astray && !h.callees.haveStrayed() && refusedByContract(resp.StatusCode, body) {
		err = errRefused
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the answer to this request is wrong: %w: %s", err, shortened(string(body))), h.alive())
	}
	return idsOf(body), h.alive()
}

// alive is an error when the service has ended or a part of it has panicked.
func (h *harness) alive() error {
	select {
	case err := <-h.ended:
		h.ended <- nil // said here
		return fmt.Errorf("the service has ended: %w", errors.Join(err, errors.New("nobody asked it to")))
	default:
		return h.log.panicked()
	}
}

// watch keeps the last lines of a log, and the first that tells of a panic.
type watch struct {
	mu    sync.Mutex
	lines [][]byte
	panic []byte
}

// panics are the lines of the chassis that tell of one.
var panics = regexp.MustCompile(`"(msg|error)":"(a handler )?panic`)

// Write takes lines.
func (w *watch) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, bytes.Clone(text))
	if len(w.lines) > 3 {
		w.lines = w.lines[1:]
	}
	if w.panic == nil && panics.Match(text) {
		w.panic = bytes.Clone(text)
	}
	return len(text), nil
}

func (w *watch) panicked() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.panic == nil {
		return nil
	}
	defer func() { w.panic = nil }() // the next request is not to blame
	return fmt.Errorf("something has panicked: %s", w.panic)
}

// String is the last lines.
func (w *watch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.Join(w.lines, nil))
}
