package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/config"
)

// files stands for a disk.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
}

func load(t *testing.T, yaml string, environ ...string) (config.Service, error) {
	t.Helper()
	var cfg config.Service
	err := config.Load(&cfg, config.Options{
		Environ: append(environ, "CONFIG_FILE=c.yaml"), ReadFile: files{"c.yaml": yaml, "/run/url": "postgres://u:p@h/d\n"}.read,
	})
	return cfg, err
}

func TestDefaultsThenFileThenEnvironment(t *testing.T) {
	cfg, err := load(t, "http: {addr: ':1000'}\nadmin: {addr: ':2000'}\nlog: {level: debug}\n", "APP_HTTP_ADDR=:3000", "APP_KAFKA_BROKERS=a:1, b:2")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{cfg.HTTP.Addr, cfg.Admin.Addr, cfg.Shutdown.Delay, cfg.Telemetry.Ratio, cfg.Log.Level, cfg.Kafka.Brokers}
	want := []any{":3000", ":2000", 5 * time.Second, 0.1, slog.LevelDebug, []string{"a:1", "b:2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestValuesInTheStructAreDefaults(t *testing.T) {
	var cfg config.Service
	cfg.HTTP.Addr = ":7000"
	cfg.Calls = map[string]config.Call{"catalog": {URL: "http://catalog:80"}}
	err := config.Load(&cfg, config.Options{Environ: []string{"APP_CALLS_USERS_URL=http://users:80"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]config.Call{"catalog": {URL: "http://catalog:80"}, "users": {URL: "http://users:80"}}
	if diff := cmp.Diff(want, cfg.Calls); diff != "" || cfg.HTTP.Addr != ":7000" {
		t.Error(diff, cfg.HTTP.Addr)
	}
}

func TestNamesOfMapEntries(t *testing.T) {
	for name, tt := range map[string]struct {
		yaml    string
		environ []string
		names   []string
		want    map[string]config.Call
		err     string
	}{
		"hyphens from the environment": {
			environ: []string{"APP_CALLS_USER_PROFILE_URL=http://up:80"},
			want:    map[string]config.Call{"user-profile": {URL: "http://up:80"}},
		},
		"hyphens in the file": {
			yaml: "calls: {user-profile: {url: 'http://up:80'}}",
			want: map[string]config.Call{"user-profile": {URL: "http://up:80"}},
		},
		"declared names": {
			environ: []string{"APP_CALLS_USER_PROFILE_URL=http://up:80"}, names: []string{"user-profile"},
			want: map[string]config.Call{"user-profile": {URL: "http://up:80"}},
		},
		"an undeclared name": {
			environ: []string{"APP_CALLS_CATALOG_URL=http://c:80", "APP_CALLS_CATLOG_URL=http://c:80"}, names: []string{"catalog"},
			err: "configuration: APP_CALLS_CATLOG_URL (environment) is unknown; did you mean APP_CALLS_CATALOG_URL?",
		},
		"a declared name without a value": {
			names: []string{"catalog"},
			err:   "configuration: calls.catalog.url (not set) is required; set APP_CALLS_CATALOG_URL, or calls.catalog.url in the file that CONFIG_FILE names",
		},
		"a value in place of an entry": {
			yaml: "calls: {catalog: 'http://c:80'}",
			err: `configuration: 2 things are wrong
  calls.catalog.url (not set) is required; set APP_CALLS_CATALOG_URL, or calls.catalog.url in the file that CONFIG_FILE names
  calls.catalog (c.yaml:1:9) is a section, not a value; give its keys, such as calls.catalog.url`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			opt := config.Options{Environ: tt.environ, File: "c.yaml", ReadFile: files{"c.yaml": tt.yaml}.read}
			if tt.names != nil {
				opt.Names = map[string][]string{"calls": tt.names}
			}
			var cfg config.Service
			err := config.Load(&cfg, opt)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v\nwant  %s", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, cfg.Calls); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestEachErrorNamesKeyPlaceAndRemedy(t *testing.T) {
	for name, tt := range map[string]struct {
		yaml    string
		environ []string
		want    string
	}{
		"unknown key":           {yaml: "http:\n  adr: ':1'\n", want: "http.adr (c.yaml:2:3) is unknown; did you mean http.addr?"},
		"unknown section":       {yaml: "htp: {addr: ':1'}\n", want: "htp.addr (c.yaml:1:7) is unknown; did you mean http.addr?"},
		"nothing like it":       {yaml: "zzzzzzzzzzzzzzzzzzzzzzzz: 1\n", want: "zzzzzzzzzzzzzzzzzzzzzzzz (c.yaml:1:1) is unknown; remove it"},
		"unknown variable":      {environ: []string{"APP_HTTP_ADR=:1"}, want: "APP_HTTP_ADR (environment) is unknown; did you mean APP_HTTP_ADDR?"},
		"bad duration":          {environ: []string{"APP_SHUTDOWN_DELAY=5"}, want: `shutdown.delay (APP_SHUTDOWN_DELAY) is "5", which is no duration; give one like 500ms, 10s or 2m`},
		"bad bool":              {yaml: "mesh: maybe", want: `mesh (c.yaml:1:1) is "maybe", which is no yes or no; give true or false`},
		"bad number":            {yaml: "telemetry: {ratio: much}", want: `telemetry.ratio (c.yaml:1:13) is "much", which is no number; give one like 0.1`},
		"out of range":          {environ: []string{"APP_TELEMETRY_RATIO=1.5"}, want: "telemetry.ratio (APP_TELEMETRY_RATIO) is not a share; give a number from 0 to 1"},
		"not a number":          {environ: []string{"APP_TELEMETRY_RATIO=NaN"}, want: `telemetry.ratio (APP_TELEMETRY_RATIO) is "NaN", which is no number; give one like 0.1`},
		"list for a value":      {yaml: "http: {addr: [a, b]}", want: "http.addr (c.yaml:1:8) is a list; give one value"},
		"value for a section":   {yaml: "http: ':80'", want: "http (c.yaml:1:1) is a section, not a value; give its keys, such as http.addr"},
		"twice":                 {yaml: "mesh: true\nmesh: false\n", want: "mesh (c.yaml:2:1) stands here twice; keep one"},
		"alias":                 {yaml: "a: &x 1\n", want: "a (c.yaml:1:4) uses an anchor or an alias; write the value out"},
		"dotted":                {yaml: "http.addr: ':1'\n", want: `http.addr (c.yaml:1:1) has a dot in its name; nest it, as in http: {addr: ":8080"}`},
		"two documents":         {yaml: "mesh: true\n---\nmesh: false\n", want: "c.yaml has more than one document; keep one"},
		"no mapping":            {yaml: "- a\n", want: `c.yaml:1:1 is no mapping; write keys with values, as in http: {addr: ":8080"}`},
		"bad call":              {environ: []string{"APP_CALLS_CATALOG_URL=catalog:80"}, want: "calls.catalog.url (APP_CALLS_CATALOG_URL) is no http or https URL; give one like http://catalog:8080"},
		"value and file":        {environ: []string{"APP_DATABASE_URL=x", "APP_DATABASE_URL_FILE=/run/url"}, want: "database.url (APP_DATABASE_URL) is set and so is APP_DATABASE_URL_FILE; unset one of them"},
		"secret's file missing": {environ: []string{"APP_DATABASE_URL_FILE=/none"}, want: "database.url (APP_DATABASE_URL_FILE) names a file that cannot be read: open /none: file does not exist; correct the path, or mount the file"},
		"file for a number":     {environ: []string{"APP_TELEMETRY_RATIO_FILE=/run/url"}, want: "APP_TELEMETRY_RATIO_FILE (environment) is unknown; did you mean APP_TELEMETRY_RATIO?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.yaml, tt.environ...)
			if want := "configuration: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
}

func TestAllErrorsComeAtOnceAndNothingIsChanged(t *testing.T) {
	var cfg config.Service
	cfg.HTTP.Addr = ":1"
	err := config.Load(&cfg, config.Options{Environ: []string{"APP_HTTP_ADDR=:2", "APP_MESH=x", "APP_SHUTDOWN_TIMEOUT=y", "APP_NONSENSE=z"}})
	var all *config.Error
	if !errors.As(err, &all) || len(all.Issues) != 3 {
		t.Errorf("error %v; want three issues", err)
	}
	if cfg.HTTP.Addr != ":1" {
		t.Errorf("the struct was changed: %s", cfg.HTTP.Addr)
	}
}

func TestMissingFile(t *testing.T) {
	var cfg config.Service
	err := config.Load(&cfg, config.Options{Environ: []string{"CONFIG_FILE=/none"}, ReadFile: files{}.read})
	want := "configuration: CONFIG_FILE names a file that cannot be read: open /none: file does not exist; correct the path, or unset it"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

func TestEmptyVariablesAndSectionsCountAsUnset(t *testing.T) {
	cfg, err := load(t, "http:\nadmin: {}\nmesh: ~\n", "APP_HTTP_ADDR=", "APP_ANYTHING=")
	if err != nil || cfg.HTTP.Addr != ":8080" {
		t.Errorf("%v, %q", err, cfg.HTTP.Addr)
	}
}

func TestAliasVariable(t *testing.T) {
	cfg, err := load(t, "", "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4318")
	if err != nil || cfg.Telemetry.Endpoint != "http://otel:4318" {
		t.Errorf("%v, %q", err, cfg.Telemetry.Endpoint)
	}
	cfg, err = load(t, "", "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4318", "APP_TELEMETRY_ENDPOINT=http://own:4318")
	if err != nil || cfg.Telemetry.Endpoint != "http://own:4318" {
		t.Errorf("%v, %q", err, cfg.Telemetry.Endpoint)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	cfg, err := load(t, "", "APP_DATABASE_URL_FILE=/run/url")
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Database.URL.Reveal(); got != "postgres://u:p@h/d" {
		t.Fatalf("secret %q", got)
	}
	hidden := struct{ inner config.Secret }{cfg.Database.URL}
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "config", cfg, "url", cfg.Database.URL)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s"} {
		for _, value := range []any{cfg.Database.URL, &cfg.Database.URL, cfg, hidden} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "u:p@h") || strings.Contains(strings.ToLower(text), "753a7040") {
				t.Errorf("%s shows %s", verb, text)
			}
		}
	}
	if strings.Contains(string(asJSON)+log.String(), "u:p@h") {
		t.Errorf("shown: %s\n%s", asJSON, log.String())
	}
	if !strings.Contains(string(asJSON), "[redacted]") {
		t.Errorf("a set secret is not told from an empty one: %s", asJSON)
	}
}

// own is a service's configuration with keys of its own.
type own struct {
	config.Service `config:",squash"`
	Payments       payments
	Limits         map[string]int
	ignored        int
}

type payments struct {
	MaxAttempts int           `default:"3"`
	Key         config.Secret `required:"true"`
	Codes       []int
}

func (p *payments) Validate(c *config.Check) {
	c.Must("maxAttempts", p.MaxAttempts < 10, "is too many", "give less than 10")
}

func TestOwnKeys(t *testing.T) {
	var cfg own
	err := config.Load(&cfg, config.Options{
		File:     "c.yaml",
		ReadFile: files{"c.yaml": "payments: {maxAttempts: 4, codes: [1, 2]}\nlimits: {a: 1}\n"}.read,
		Environ:  []string{"APP_PAYMENTS_KEY=k", "APP_PAYMENTS_MAX_ATTEMPTS=5", "APP_LIMITS_B_C=2", "APP_HTTP_ADDR=:9"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{cfg.Payments.MaxAttempts, cfg.Payments.Key.Reveal(), cfg.Payments.Codes, cfg.Limits, cfg.HTTP.Addr, cfg.ignored}
	want := []any{5, "k", []int{1, 2}, map[string]int{"a": 1, "b-c": 2}, ":9", 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNestedValidatorNamesTheWholeKey(t *testing.T) {
	var cfg own
	err := config.Load(&cfg, config.Options{Environ: []string{"APP_PAYMENTS_KEY=k", "APP_PAYMENTS_MAX_ATTEMPTS=50"}})
	want := "configuration: payments.maxAttempts (APP_PAYMENTS_MAX_ATTEMPTS) is too many; give less than 10"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

func TestSeveralPartsDecodeTheirOwn(t *testing.T) {
	source, err := config.Open(config.Options{Environ: []string{"APP_HTTP_ADDR=:1", "APP_PAYMENTS_KEY=k", "APP_PAYMENTS_KEI=k"}})
	if err != nil {
		t.Fatal(err)
	}
	var service config.Service
	var rest struct{ Payments payments }
	if err := errors.Join(source.Decode(&service), source.Decode(&rest)); err != nil {
		t.Fatal(err)
	}
	want := "configuration: APP_PAYMENTS_KEI (environment) is unknown; did you mean APP_PAYMENTS_KEY?"
	if err := source.Unclaimed(); err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
	if origin := source.Origin("http.addr"); origin != "APP_HTTP_ADDR" {
		t.Errorf("origin %s", origin)
	}
}

func TestTypesThatCannotBeConfigured(t *testing.T) {
	for _, into := range []any{nil, 1, config.Service{}, new(int), &struct{ C chan int }{}, &struct{ M map[string]map[string]int }{}} {
		if err := config.Load(into, config.Options{Environ: []string{"APP_M_A=1"}}); err == nil {
			t.Errorf("%T was taken", into)
		}
	}
}

// FuzzFile looks for a file that brings the parser down, or that sets a key which is then not known.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", "http: {addr: ':1'}", "a: &x [*x]\n", "calls: {a-b: {url: 'http://x'}}", "? [a]: b", "mesh: !!bool true", "\xff", "a: {<<: {b: c}}", "- 1\n---\n- 2", "kafka:\n  brokers:\n  - a\n  - b: c\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg config.Service
		err := config.Load(&cfg, config.Options{File: "c.yaml", ReadFile: func(string) ([]byte, error) { return text, nil }})
		var issues *config.Error
		if err != nil && (!errors.As(err, &issues) || len(issues.Issues) == 0) {
			t.Fatalf("an error without an issue: %v", err)
		}
		for name := range maps.Keys(cfg.Calls) {
			if err == nil && strings.ContainsRune(name, '.') {
				t.Fatalf("a call named %q", name)
			}
		}
		if err == nil && slices.Contains(cfg.Kafka.Brokers, "") && !strings.Contains(string(text), "brokers") {
			t.Fatalf("brokers from nowhere: %q", cfg.Kafka.Brokers)
		}
	})
}
