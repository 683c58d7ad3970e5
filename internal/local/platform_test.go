package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// shop is where the stub services of testdata are built; one folder for all tests, so that they are built once.
var shop string

func TestMain(m *testing.M) {
	if os.Getenv("LOCAL_TEST_HOST") != "" {
		hostPlatform()
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "shop")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "shop"))); err != nil {
			panic(err)
		}
		shop = dir
		return m.Run()
	}())
}

// model declares the stubs: front calls back and publishes; back has a database, a cache, and consumes.
func model() *spec.Model {
	return &spec.Model{
		Platform: &spec.Platform{Name: "shop"},
		Services: []*spec.Service{
			{
				Name: "back", Dir: "services/back", Database: spec.Database{Kind: "postgres", Shards: []string{"s1", "far-east"}}, Cache: spec.Cache{Kind: "redis"}, Flags: spec.Flags{Kind: "file"},
				Events: spec.Events{Consumes: []string{"front.seen.v1"}},
			},
			{
				Name: "front", Dir: "services/front", Calls: map[string]*spec.Call{"back": {Operations: []string{"getBack"}}},
				Events: spec.Events{Publishes: []string{"front.seen.v1"}},
			},
		},
	}
}

// screen is what a person sees. Safe for concurrent use.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func options(t *testing.T, out io.Writer) local.Options {
	t.Helper()
	return local.Options{Root: shop, Model: model(), FreePorts: true, DataDir: filepath.Join(t.TempDir(), "data"), Out: out, Logs: out}
}

func start(t *testing.T, o local.Options) *local.Platform {
	t.Helper()
	p, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// alive reports whether a process exists and is more than an entry that its parent has not read yet.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func portFree(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func TestStartTellsEachServiceWhatItNeeds(t *testing.T) {
	t.Setenv("APP_LOG_LEVEL", "warn")
	o := options(t, io.Discard)
	o.Env = map[string]string{"APP_ENVIRONMENT": "test"}
	o.ServiceEnv = map[string]map[string]string{"back": {"APP_ENVIRONMENT": "back's own"}}
	p := start(t, o)

	env := func(service string) map[string]string {
		var pairs []string
		if err := json.Unmarshal([]byte(fetch(t, p.Service(service).URL+"/env")), &pairs); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]string)
		for _, pair := range pairs {
			if k, v, _ := strings.Cut(pair, "="); strings.HasPrefix(k, "APP_") {
				out[k] = v
			}
		}
		return out
	}
	front, back := env("front"), env("back")
	if p.Mail() != nil {
		t.Error("there is a receiver of mails, and nobody declares to send any")
	}
	want := map[string]string{
		"APP_HTTP_ADDR":      strings.TrimPrefix(p.Service("front").URL, "http://"),
		"APP_ADMIN_ADDR":     strings.TrimPrefix(p.Service("front").Admin, "http://"),
		"APP_CALLS_BACK_URL": p.Service("back").URL,
		"APP_KAFKA_BROKERS":  p.Brokers()[0],
		"APP_ENVIRONMENT":    "test",
		"APP_LOG_LEVEL":      "warn",
	}
	for k, v := range want {
		if front[k] != v {
			t.Errorf("front's %s is %q, want %q", k, front[k], v)
		}
	}
	if got, want := back["APP_FLAGS_FILE"], filepath.Join(o.Root, "services", "back", "deploy", "flags.yaml"); got != want || front["APP_FLAGS_FILE"] != "" {
		t.Errorf("back's flags are at %q, want %q; front's at %q", got, want, front["APP_FLAGS_FILE"])
	}
	if front["APP_DATABASE_URL"] != "" || front["APP_REDIS_URL"] != "" {
		t.Errorf("front is told of a database or cache that it does not declare: %v", front)
	}
	if got, want := back["APP_DATABASE_URL"], "sqlite://"+filepath.Join(o.DataDir, "back.db"); got != want {
		t.Errorf("back's database is %q, want %q", got, want)
	}
	for shard, variable := range map[string]string{"s1": "S1", "far-east": "FAR_EAST"} {
		if got, want := back["APP_DATABASE_SHARDS_"+variable+"_URL"], "sqlite://"+filepath.Join(o.DataDir, "back-"+shard+".db"); got != want {
			t.Errorf("back's shard %s is %q, want %q", shard, got, want)
		}
	}
	if back["APP_REDIS_URL"] == "" || back["APP_REDIS_URL"] != p.Redis() {
		t.Errorf("back's cache is %q, the platform's %q", back["APP_REDIS_URL"], p.Redis())
	}
	if back["APP_ENVIRONMENT"] != "back's own" {
		t.Errorf("back's environment is %q", back["APP_ENVIRONMENT"])
	}
	if back["APP_TELEMETRY_ENDPOINT"] == "" || back["APP_TELEMETRY_RATIO"] != "1" {
		t.Errorf("back's telemetry: %v", back)
	}
}

func TestAServiceThatSendsMailsGetsAReceiver(t *testing.T) {
	var out screen
	o := options(t, &out)
	o.Model.Services[1].Externals = []spec.External{{Host: "smtp.example.com", Port: 465}}
	p := start(t, o)
	var pairs []string
	if err := json.Unmarshal([]byte(fetch(t, p.Service("front").URL+"/env")), &pairs); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, pair := range pairs {
		k, v, _ := strings.Cut(pair, "=")
		env[k] = v
	}
	if env["SMTP_TLS"] != "none" {
		t.Errorf("TLS is %q", env["SMTP_TLS"])
	}
	letter := "Message-ID: <1@shop>\r\nX-Notification-Kind: welcome\r\n\r\nHello\r\n"
	addr := net.JoinHostPort(env["SMTP_HOST"], env["SMTP_PORT"])
	if err := smtp.SendMail(addr, nil, "shop@example.com", []string{"ada@customers.example"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if mails := p.Mail().Mails(); len(mails) != 1 || mails[0].ID != "1@shop" {
		t.Errorf("mails %+v", mails)
	}
	eventually(t, "the mail is told of", func() bool { return strings.Contains(out.String(), "mail welcome 1@shop") })
	if strings.Contains(out.String(), "customers.example") {
		t.Errorf("an address is shown:\n%s", &out)
	}
	if strings.Contains(fetch(t, p.Service("back").URL+"/env"), "SMTP_PORT") {
		t.Error("back is told of a mail server that it does not declare")
	}
}

func TestTableShowsWhereEachServiceAnswers(t *testing.T) {
	var out screen
	p := start(t, options(t, &out))
	table := p.Table()
	for _, want := range []string{
		"SERVICE", p.Service("front").URL + "/health/ready", p.Service("back").Admin + "/metrics", "/traces?service=back", "kafka 127.0.0.1:", "redis://127.0.0.1:",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	line, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Services []local.Endpoint
		Kafka    []string
		Traces   string
	}
	if err := json.Unmarshal(line, &got); err != nil || bytes.Contains(line, []byte("\n")) {
		t.Fatalf("not one line of JSON: %s: %v", line, err)
	}
	if len(got.Services) != 2 || got.Services[0].Service != "back" || !got.Services[0].Running || !alive(got.Services[0].PID) {
		t.Errorf("services: %+v", got.Services)
	}
	if body := fetch(t, got.Traces); strings.TrimSpace(body) != "[]" {
		t.Errorf("traces before any request: %s", body)
	}
	if !regexp.MustCompile(`(?m)^built (front|back) \(`).MatchString(out.String()) {
		t.Errorf("no progress was shown:\n%s", &out)
	}
	eventually(t, "both logs are shown with their names", func() bool {
		return regexp.MustCompile(`(?m)^front \| \d\d:\d\d:\d\d\.\d{3} INFO  listening addr=`).MatchString(out.String()) &&
			strings.Contains(out.String(), "back  | ")
	})
}

func TestNamedServicesBringTheirCallees(t *testing.T) {
	o := options(t, io.Discard)
	o.Services = []string{"front"}
	if got := len(start(t, o).Endpoints()); got != 2 {
		t.Errorf("up front runs %d services, want front and back", got)
	}
	o.Services = []string{"back"}
	if got := start(t, o).Endpoints(); len(got) != 1 || got[0].Service != "back" {
		t.Errorf("up back runs %+v, want back alone", got)
	}
	o.Services = []string{"nobody"}
	if _, err := local.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), `no service "nobody"`) {
		t.Errorf("up nobody: %v", err)
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var out screen
	p, err := local.Start(t.Context(), options(t, &out))
	if err != nil {
		t.Fatal(err)
	}
	endpoints, brokers, redis := p.Endpoints(), p.Brokers(), p.Redis()
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		if alive(e.PID) {
			t.Errorf("%s still runs as pid %d", e.Service, e.PID)
		}
		for _, raw := range []string{e.API, e.Admin, e.Traces} {
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if !portFree(u.Host) {
				t.Errorf("%s is still taken", u.Host)
			}
		}
	}
	for _, address := range []string{brokers[0], strings.TrimPrefix(redis, "redis://")} {
		if !portFree(address) {
			t.Errorf("%s is still taken", address)
		}
	}
	if front, back := strings.Index(out.String(), "front | "), strings.LastIndex(out.String(), "stopping"); front < 0 || back < 0 {
		t.Errorf("the last logs are not shown:\n%s", &out)
	}
	lines := strings.Split(out.String(), "\n")
	stopping := slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, "stopping") })
	if len(stopping) != 2 || !strings.HasPrefix(stopping[0], "front") {
		t.Errorf("the caller does not stop before its callee: %q", stopping)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	if err := p.Restart(t.Context(), "front"); err == nil {
		t.Error("a service of a stopped platform was started")
	}
}

func TestRealServersReplaceTheHostedOnes(t *testing.T) {
	hosting := start(t, options(t, io.Discard))
	o := options(t, io.Discard)
	o.Kafka, o.Redis = hosting.Brokers(), hosting.Redis()
	o.Database = func(service string) string { return "postgres://db/" + service }
	p := start(t, o)
	if p.Brokers()[0] != hosting.Brokers()[0] || p.Redis() != hosting.Redis() {
		t.Error("servers were hosted that the options give")
	}
	if got := fetch(t, p.Service("back").URL+"/env"); !strings.Contains(got, "postgres://db/back") {
		t.Errorf("back's database is another: %s", got)
	}
	if _, err := os.Stat(o.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder of databases was made: %v", err)
	}
}
