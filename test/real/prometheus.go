package real

import (
	"fmt"
	"testing"
)

// NewPrometheus starts a Prometheus for this test alone. Configure gives its files, of which config.yaml is its configuration, for the
// address that it listens at.
func NewPrometheus(t testing.TB, configure func(address string) Files) *Watcher {
	t.Helper()
	return watch(t, "prometheus", func(_ string, port func(int) int) (recipe, error) {
		path, err := find("prometheus")
		address := fmt.Sprintf("127.0.0.1:%d", port(0))
		return recipe{
			path: path, files: configure(address), ready: "/-/ready",
			args: []string{"--config.file=config.yaml", "--storage.tsdb.path=data", "--web.listen-address=" + address, "--web.enable-lifecycle",
				"--enable-feature=exemplar-storage,native-histograms", "--log.level=warn"},
		}, err
	})
}

// NewAlertmanager starts an Alertmanager of this configuration, for this test alone.
func NewAlertmanager(t testing.TB, config []byte) *Watcher {
	t.Helper()
	return watch(t, "alertmanager", func(_ string, port func(int) int) (recipe, error) {
		path, err := find("alertmanager", "/usr/bin/prometheus-alertmanager") // the name that Debian gives it
		return recipe{
			path: path, files: Files{"config.yaml": config}, ready: "/-/ready",
			args: []string{"--config.file=config.yaml", "--storage.path=data", "--cluster.listen-address=",
				fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port(0))},
		}, err
	})
}

// NewJaeger starts a Jaeger of this configuration, for this test alone, at other addresses than those that the configuration has. They
// are told by Address; its URL is that of the one for people.
func NewJaeger(t testing.TB, config []byte) *Watcher {
	t.Helper()
	const people, health = 16686, 13133
	w := watch(t, "jaeger", func(_ string, port func(int) int) (recipe, error) {
		path, err := cached("jaeger", jaegerVersion)
		port(0)
		return recipe{
			path: path, files: Files{"config.yaml": moved(config, port)}, ready: "/status", readyPort: health,
			args: []string{"--config=config.yaml"},
		}, err
	})
	w.URL = "http://" + w.Address(people)
	return w
}

// NewLoki starts a Loki of this configuration, for this test alone. What the configuration keeps below /loki is in a folder of its own.
func NewLoki(t testing.TB, config []byte) *Watcher {
	t.Helper()
	return watch(t, "loki", func(dir string, port func(int) int) (recipe, error) {
		path, err := cached("loki", lokiVersion)
		return recipe{
			path: path, files: Files{"config.yaml": below(config, "/loki", dir+"/loki")}, ready: "/ready",
			args: []string{"-config.file=config.yaml", "-server.http-listen-address=127.0.0.1", "-server.grpc-listen-address=127.0.0.1",
				"-ingester.min-ready-duration=0s", // nobody else is there to be waited for
				fmt.Sprintf("-server.http-listen-port=%d", port(0)), fmt.Sprintf("-server.grpc-listen-port=%d", port(1))},
		}, err
	})
}
