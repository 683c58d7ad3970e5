package flag_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/chassis/flag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func open(t testing.TB, opt flag.Options) *flag.Flags {
	t.Helper()
	f, err := flag.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// run follows the file until the test ends.
func run(t testing.TB, f *flag.Flags) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fileWith(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.yaml")
	write(t, path, text)
	return path
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

const file = `
flags:
  checkout.fast:
    value: false
    keys: {ada: true, 7: true}
  orders.fulfilment:
    value: choreography
    variants: [choreography, orchestration, two-phase]
    rollout: {value: orchestration, percent: 100}
    keys: {ada: two-phase}
  all: {value: true, description: a plain flag}
  nobody: {value: a, rollout: {value: b, percent: 0}}
  half: {value: false, rollout: {value: true, percent: 50}}
`

func TestAFlagHasItsValueForAKey(t *testing.T) {
	f := open(t, flag.Options{File: fileWith(t, file)})
	for name, test := range map[string]struct {
		flag, key string
		want      any
		reason    openfeature.Reason
		code      openfeature.ErrorCode
	}{
		"static":                       {"all", "ada", true, openfeature.StaticReason, ""},
		"static without a key":         {"all", "", true, openfeature.StaticReason, ""},
		"a key that is not named":      {"checkout.fast", "eve", false, openfeature.StaticReason, ""},
		"a key that is named":          {"checkout.fast", "ada", true, openfeature.TargetingMatchReason, ""},
		"a number for a key":           {"checkout.fast", "7", true, openfeature.TargetingMatchReason, ""},
		"a text for everybody":         {"orders.fulfilment", "", "orchestration", openfeature.SplitReason, ""},
		"a text for a named key":       {"orders.fulfilment", "ada", "two-phase", openfeature.TargetingMatchReason, ""},
		"a rollout to nobody":          {"nobody", "ada", "a", openfeature.SplitReason, ""},
		"a rollout without a key":      {"half", "", false, openfeature.SplitReason, ""},
		"an unknown flag":              {"unknown", "ada", "fallback", openfeature.ErrorReason, openfeature.FlagNotFoundCode},
		"an unknown flag, true":        {"unknown", "ada", true, openfeature.ErrorReason, openfeature.FlagNotFoundCode},
		"a text where a switch is":     {"all", "ada", "fallback", openfeature.ErrorReason, openfeature.TypeMismatchCode},
		"a switch where a text is":     {"nobody", "ada", true, openfeature.ErrorReason, openfeature.TypeMismatchCode},
		"a number, of which none are":  {"all", "ada", int64(7), openfeature.ErrorReason, openfeature.TypeMismatchCode},
		"a fraction, of which none ..": {"all", "ada", 1.5, openfeature.ErrorReason, openfeature.TypeMismatchCode},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, who := t.Context(), openfeature.NewEvaluationContext(test.key, nil)
			var got any
			var detail openfeature.EvaluationDetails
			switch fallback := test.want.(type) {
			case bool:
				d, _ := f.Client().BooleanValueDetails(ctx, test.flag, fallback == (test.code != ""), who)
				got, detail = d.Value, d.EvaluationDetails
			case string:
				d, _ := f.Client().StringValueDetails(ctx, test.flag, "fallback", who)
				got, detail = d.Value, d.EvaluationDetails
			case int64:
				d, _ := f.Client().IntValueDetails(ctx, test.flag, fallback, who)
				got, detail = d.Value, d.EvaluationDetails
			case float64:
				d, _ := f.Client().FloatValueDetails(ctx, test.flag, fallback, who)
				got, detail = d.Value, d.EvaluationDetails
			}
			if got != test.want || detail.Reason != test.reason || detail.ErrorCode != test.code {
				t.Errorf("value %v, reason %s, code %s; want %v, %s, %s", got, detail.Reason, detail.ErrorCode, test.want, test.reason, test.code)
			}
			if test.code == "" && detail.Variant != fmt.Sprint(test.want) {
				t.Errorf("variant %q", detail.Variant)
			}
		})
	}
	if d, err := f.Client().ObjectValueDetails(t.Context(), "all", 7, openfeature.EvaluationContext{}); err == nil || d.Value != 7 {
		t.Errorf("an object: %v and %v, want the fallback and an error", d.Value, err)
	}
	if f.Bool(t.Context(), "checkout.fast", false, "ada") != true || f.String(t.Context(), "nobody", "x", "ada") != "a" {
		t.Error("the short ways give something else")
	}
}

// users are the keys for whom a flag with a rollout is on.
func users(t *testing.T, name string, percent float64) map[string]bool {
	t.Helper()
	f := open(t, flag.Options{File: fileWith(t, fmt.Sprintf("flags: {%s: {value: false, rollout: {value: true, percent: %v}}}", name, percent))})
	on := map[string]bool{}
	for i := range 10_000 {
		if key := fmt.Sprint("user-", i); f.Bool(t.Context(), name, false, key) {
			on[key] = true
		}
	}
	return on
}

func TestARolloutHasItsShareAndOnlyGrows(t *testing.T) {
	before := map[string]bool{}
	for _, percent := range []float64{0, 0.5, 10, 20, 50, 99.5, 100} {
		on := users(t, "feature", percent)
		// Five standard deviations of 10000 draws are at most 2.5 %.
		if share := float64(len(on)) / 100; share < percent-2.5 || share > percent+2.5 {
			t.Errorf("%v %% are %v %%", percent, share)
		}
		for key := range before {
			if !on[key] {
				t.Errorf("%s lost the feature at %v %%", key, percent)
			}
		}
		before = on
	}
	one, other := users(t, "one", 50), users(t, "other", 50)
	both := 0
	for key := range one {
		if other[key] {
			both++
		}
	}
	if both < 2000 || both > 3000 {
		t.Errorf("two flags of 50 %% have %d of 10000 keys in common, want a fourth: they are not independent", both)
	}
}

// Whoever has a feature must have it with the next version of this package too.
func TestWhoIsInAShareNeverChanges(t *testing.T) {
	on := users(t, "feature", 0.1)
	want := "user-891 user-2277 user-5009 user-6994 user-7460 user-8869 user-9835" // SHA-256 says so in any language
	var got []string
	for i := range 10_000 {
		if key := fmt.Sprint("user-", i); on[key] {
			got = append(got, key)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}

func TestWhatIsSetWinsOverTheFile(t *testing.T) {
	f := open(t, flag.Options{File: fileWith(t, file), Set: []string{"orders.fulfilment=two-phase", "checkout.fast=true", "new=x=y"}})
	for _, key := range []string{"ada", "eve", ""} {
		if got := f.String(t.Context(), "orders.fulfilment", "", key); got != "two-phase" {
			t.Errorf("fulfilment of %q is %s", key, got)
		}
	}
	if !f.Bool(t.Context(), "checkout.fast", false, "eve") || f.String(t.Context(), "new", "", "") != "x=y" {
		t.Error("what is set does not hold")
	}
	if alone := open(t, flag.Options{Set: []string{"a=false"}}); alone.Bool(t.Context(), "a", true, "") {
		t.Error("what is set does not hold without a file")
	}
}

func TestFaultsAreRefusedAtTheStart(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "no flags",
		"flags:":                                "no flags",
		"flag: {}":                              "field flag not found",
		"flags: {a: {value: 1}}":                "neither true, false nor a text",
		"flags: {a: {value: [x]}}":              "neither true, false nor a text",
		"flags: {a: {}}":                        "value is missing",
		"flags: {A: {value: true}}":             "a name has",
		"flags: {a: {valu: true}}":              "field valu not found",
		"flags: {a: {value: x}}\n---":           "more than one document",
		"flags: {a: {value: x}, a: {value: y}}": "already defined",
		"flags: {a: {value: true, variants: [x]}}":                               "variants are for texts",
		"flags: {a: {value: z, variants: [x]}}":                                  "none of the variants x",
		"flags: {a: {value: x, keys: {ada: true}}}":                              "not of the type",
		"flags: {a: {value: true, keys: {ada: x}}}":                              "not of the type",
		"flags: {a: {value: x, rollout: {value: y, percent: 101}}}":              "no percentage",
		"flags: {a: {value: x, rollout: {value: y, percent: -1}}}":               "no percentage",
		"flags: {a: {value: x, rollout: {value: y, percent: .nan}}}":             "no percentage",
		"flags: {a: {value: x, rollout: {percent: 10}}}":                         "not of the type",
		"flags: {a: {value: x, variants: [x], rollout: {value: y, percent: 1}}}": "none of the variants x",
		"{": "not as it should be",
		"flags: {} #" + strings.Repeat("x", 1<<20): "more than",
	} {
		_, err := flag.Open(flag.Options{File: fileWith(t, text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: error %v, want one with %q", text, err, want)
		}
	}
	for item, want := range map[string]string{"a": "write name=value", "A=x": "write name=value", "all=text": "not of the type", "orders.fulfilment=x": "none of the variants"} {
		_, err := flag.Open(flag.Options{File: fileWith(t, file), Set: []string{item}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", item, err, want)
		}
	}
	if _, err := flag.Open(flag.Options{Set: []string{"a=1", "a=2"}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("set twice: error %v", err)
	}
	if _, err := flag.Open(flag.Options{File: filepath.Join(t.TempDir(), "none.yaml")}); err == nil {
		t.Error("took a file that is not there")
	}
	open(t, flag.Options{File: fileWith(t, `{"flags": {"a": {"value": true}}}`)}) // JSON is taken
}

// watched are flags that follow a file and are only told of changes, never by the clock.
func watched(t *testing.T, path string) (*flag.Flags, *prometheus.Registry, *buffer) {
	t.Helper()
	log, metrics := &buffer{}, prometheus.NewRegistry()
	f := open(t, flag.Options{File: path, Poll: time.Hour, Registry: metrics, Log: slog.New(slog.NewTextHandler(log, nil))})
	run(t, f)
	return f, metrics, log
}

func value(f *flag.Flags) string { return f.String(context.Background(), "a", "", "") }

func TestAChangedFileHolds(t *testing.T) {
	for name, change := range map[string]func(t testing.TB, path, text string){
		"written": write,
		"renamed": func(t testing.TB, path, text string) {
			write(t, path+".new", text)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
		"removed and written": func(t testing.TB, path, text string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileWith(t, "flags: {a: {value: '0'}}")
			f, _, _ := watched(t, path)
			for i := 1; i < 4; i++ {
				change(t, path, fmt.Sprintf("flags: {a: {value: '%d'}}", i))
				eventually(t, "the file holds", func() bool { return value(f) == fmt.Sprint(i) })
			}
		})
	}
}

// Kubernetes mounts a ConfigMap as links into a folder, flags.yaml → ..data/flags.yaml and ..data → ..2026, and renames a new ..data
// over the old one.
func TestAnExchangedConfigMapHolds(t *testing.T) {
	dir := t.TempDir()
	put := func(version, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "flags.yaml"), text)
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	put("..2026_01", "flags: {a: {value: old}}")
	path := filepath.Join(dir, "flags.yaml")
	if err := os.Symlink(filepath.Join("..data", "flags.yaml"), path); err != nil {
		t.Fatal(err)
	}
	f, _, _ := watched(t, path)
	for i := range 3 {
		put(fmt.Sprint("..2026_02_", i), fmt.Sprintf("flags: {a: {value: new%d}}", i))
		eventually(t, "the new one holds", func() bool { return value(f) == fmt.Sprint("new", i) })
	}
}

func TestABrokenFileLeavesTheOldOneInForce(t *testing.T) {
	path := fileWith(t, "flags: {a: {value: old}}")
	f, metrics, log := watched(t, path)
	stale := func() bool {
		n, err := testutil.GatherAndCount(metrics, "flag_file_stale")
		return err == nil && n == 1 && gauge(t, metrics, "flag_file_stale") == 1
	}
	for _, text := range []string{"flags: {a: {value: new}, b: {value: 1}}", "flags: {a: {value: new", ""} {
		write(t, path, text)
		eventually(t, "the fault is known", stale)
		if value(f) != "old" {
			t.Errorf("of a broken file holds %q", value(f))
		}
		write(t, path, "flags: {a: {value: old}}")
		eventually(t, "it is right again", func() bool { return !stale() })
	}
	if n := strings.Count(log.String(), "the old ones stay in force"); n != 3 {
		t.Errorf("logged %d times, want 3:\n%s", n, log)
	}
	if got := gauge(t, metrics, "flag_reloads_total"); got != 6 {
		t.Errorf("%v reloads, want 3 that failed and 3 that did not", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its absence is known", stale)
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/flags", nil))
	if value(f) != "old" || !strings.Contains(w.Body.String(), "no such file") {
		t.Errorf("value %q, shown %s", value(f), w.Body)
	}
}

// gauge sums the values of a metric.
func gauge(t testing.TB, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestAFolderThatCannotBeWatchedIsPolled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "link")
	target := fileWith(t, "flags: {a: {value: old}}")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	f := open(t, flag.Options{File: path, Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	run(t, f)
	write(t, target, "flags: {a: {value: new}}") // in another folder, of which nothing is heard
	eventually(t, "the new one holds", func() bool { return value(f) == "new" })
}

func TestAChangeIsAnEvent(t *testing.T) {
	path := fileWith(t, "flags: {a: {value: old}}")
	f := open(t, flag.Options{File: path, Log: slog.New(slog.DiscardHandler)})
	told := make(chan string, 10)
	callback := func(openfeature.EventDetails) { told <- value(f) }
	f.Client().AddHandler(openfeature.ProviderConfigChange, &callback)
	run(t, f)
	write(t, path, "flags: {a: {value: new}}")
	select {
	case got := <-told:
		if got != "new" {
			t.Errorf("when it was told the value was %s", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("nobody was told")
	}
}

func TestReadersSeeAllOfAFileOrNothing(t *testing.T) {
	path := fileWith(t, "flags: {a: {value: '0'}, b: {value: '0'}}")
	f := open(t, flag.Options{File: path, Log: slog.New(slog.DiscardHandler), Poll: time.Millisecond})
	run(t, f)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// b is read later, so it may be newer, never older.
				if a, b := f.String(t.Context(), "a", "", "k"), f.String(t.Context(), "b", "", "k"); a == "" || b < a {
					t.Errorf("a is %q and b %q", a, b)
					return
				}
			}
		})
	}
	for i := range 10 {
		write(t, path+".new", fmt.Sprintf("flags: {a: {value: '%d'}, b: {value: '%d'}}", i, i))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it holds", func() bool { return value(f) == fmt.Sprint(i) })
	}
	close(stop)
	readers.Wait()
}

func TestFlagsAreShownWithoutWhoTheyAreFor(t *testing.T) {
	f := open(t, flag.Options{File: fileWith(t, file)})
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/flags", nil))
	var shown struct {
		Flags map[string]struct {
			Value   any
			Keys    int
			Rollout struct{ Percent float64 }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if fast := shown.Flags["checkout.fast"]; fast.Value != false || fast.Keys != 2 || shown.Flags["half"].Rollout.Percent != 50 {
		t.Errorf("shown %s", w.Body)
	}
	if strings.Contains(w.Body.String(), "ada") {
		t.Errorf("shown are keys: %s", w.Body)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(file)
	f.Add(`{"flags": {"a": {"value": true, "rollout": {"value": false, "percent": 1e2}}}}`)
	f.Add("flags: &a {b: *a}")
	f.Add("flags: {a: {value: !!binary aGk=}}")
	path := filepath.Join(f.TempDir(), "flags.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		write(t, path, text)
		flags, err := flag.Open(flag.Options{File: path})
		if err != nil {
			return
		}
		defer func() { _ = flags.Close(context.Background()) }()
		w := httptest.NewRecorder()
		flags.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/flags", nil))
		var shown struct {
			Flags map[string]struct{ Value any }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		for name, d := range shown.Flags { // whatever was taken can be asked for
			who := openfeature.NewEvaluationContext("ada", nil)
			_, boolErr := flags.Client().BooleanValue(context.Background(), name, false, who)
			_, textErr := flags.Client().StringValue(context.Background(), name, "", who)
			if _, isBool := d.Value.(bool); isBool && boolErr != nil || !isBool && textErr != nil {
				t.Fatalf("flag %s with the value %v: %v, %v", name, d.Value, boolErr, textErr)
			}
		}
	})
}

func BenchmarkBool(b *testing.B) {
	f := open(b, flag.Options{File: fileWith(b, file)})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f.Bool(context.Background(), "half", false, "user-1")
		}
	})
}
