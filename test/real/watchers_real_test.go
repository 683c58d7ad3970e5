//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/test/real"
)

// soon asks again until the answer is good, for ten seconds.
func soon(t *testing.T, good func(ctx context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := good(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		<-tick.C
	}
}

// ask decodes what a server answers.
func ask(ctx context.Context, address string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return json.NewDecoder(resp.Body).Decode(answer)
}

func TestPrometheusScrapesWhatItsConfigurationSays(t *testing.T) {
	p := real.NewPrometheus(t, func(address string) real.Files {
		return real.Files{"config.yaml": []byte("global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n" +
			"scrape_configs: [{job_name: itself, static_configs: [{targets: [\"" + address + "\"]}]}]\n")}
	})
	soon(t, func(ctx context.Context) (bool, error) {
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		err := ask(ctx, p.URL+"/api/v1/query?query="+url.QueryEscape(`up{job="itself"}`), &answer)
		return len(answer.Data.Result) == 1 && answer.Data.Result[0].Value[1] == "1", err
	})
}

func TestAlertmanagerTakesAlerts(t *testing.T) {
	a := real.NewAlertmanager(t, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"))
	post(t, a.URL+"/api/v2/alerts", `[{"labels":{"alertname":"Fire"}}]`)
	var alerts []struct{ Labels map[string]string }
	if err := ask(t.Context(), a.URL+"/api/v2/alerts", &alerts); err != nil {
		t.Fatal(err)
	}
	if len(alerts) != 1 || alerts[0].Labels["alertname"] != "Fire" {
		t.Errorf("alerts %v", alerts)
	}
}

const jaegerConfig = `service:
  extensions: [healthcheckv2, jaeger_storage, jaeger_query]
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry:
    metrics:
      level: normal
      readers:
        - pull:
            exporter:
              prometheus:
                host: 0.0.0.0
                port: 8888
receivers: {otlp: {protocols: {http: {endpoint: "0.0.0.0:4318"}}}}
exporters: {jaeger_storage_exporter: {trace_storage: memory}}
extensions:
  healthcheckv2: {use_v2: true, http: {endpoint: "0.0.0.0:13133"}}
  jaeger_storage: {backends: {memory: {memory: {max_traces: 10}}}}
  jaeger_query: {storage: {traces: memory}, http: {endpoint: "0.0.0.0:16686"}, grpc: {endpoint: "127.0.0.1:16685"}}
`

func TestJaegerKeepsTraces(t *testing.T) {
	j := real.NewJaeger(t, []byte(jaegerConfig))
	post(t, "http://"+j.Address(4318)+"/v1/traces", `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cook"}}]},
		"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"boil","kind":2,
		"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}]}]}]}`)
	var answer struct {
		Data []struct {
			Spans []struct{ OperationName string }
		}
	}
	if err := ask(t.Context(), j.URL+"/api/traces/5b8efff798038103d269b633813fc60c", &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Data) != 1 || answer.Data[0].Spans[0].OperationName != "boil" {
		t.Errorf("traces %+v", answer)
	}
	resp, err := http.Get("http://" + j.Address(8888) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

const lokiConfig = `auth_enabled: false
server: {http_listen_port: 3100, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: /loki
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: /loki/chunks, rules_directory: /loki/rules}}
schema_config:
  configs: [{from: "2024-01-01", store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
`

func TestLokiKeepsLinesOfOTLP(t *testing.T) {
	l := real.NewLoki(t, []byte(lokiConfig))
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	post(t, l.URL+"/otlp/v1/logs", `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cook"}}]},
		"scopeLogs":[{"logRecords":[{"timeUnixNano":"`+now+`","body":{"stringValue":"it boils"}}]}]}]}`)
	soon(t, func(ctx context.Context) (bool, error) {
		var answer struct {
			Data struct{ Result []struct{ Values [][]any } }
		}
		err := ask(ctx, l.URL+"/loki/api/v1/query_range?query="+url.QueryEscape(`{service_name="cook"}`), &answer)
		return len(answer.Data.Result) == 1 && answer.Data.Result[0].Values[0][1] == "it boils", err
	})
}

func post(t *testing.T, address, body string) {
	t.Helper()
	resp, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s: %s", address, resp.Status)
	}
}
