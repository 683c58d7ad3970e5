//go:build real

package shop

import (
	"os"
	"testing"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/real"
	"github.com/trellis-mesh/trellis/test/soak"
)

// TestMoneyIsSafeOnRealServers is TestMoneyIsSafe on PostgreSQL and Kafka, which are killed too.
func TestMoneyIsSafeOnRealServers(t *testing.T) {
	rounds := soak.Rounds(t, 5)
	broker := real.NewKafka(t)
	postgres := real.NewPostgres(t, "fsync=off") // only the process dies here, not the machine
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]string{}
	for _, service := range model.Services {
		for _, name := range service.Databases() {
			urls[name] = postgres.Database(t)
		}
	}
	url := func(service string) string { return urls[service] }
	s := open(t, local.Options{DataDir: t.TempDir(), Kafka: broker.Brokers(), Database: url})
	victims := append(s.services(),
		victim{"kafka", func(*testing.T) { broker.Kill() }, func(t *testing.T) {
			t.Helper()
			broker.Restart(t)
		}},
		victim{"postgres", func(*testing.T) { postgres.Kill() }, func(t *testing.T) {
			t.Helper()
			if err := postgres.Start(); err != nil {
				t.Fatal(err)
			}
		}},
	)
	moneyIsSafe(t, s, url, victims, 10*rounds, 3*rounds)
}
