//go:build real

package database_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	databasetest.Conformance(t, func(t *testing.T) *database.DB { return openTest(t, real.Postgres(t), database.Options{}) })
}

func TestPostgresMigrationGoesOnAfterAMigratorWasKilled(t *testing.T) {
	killMigrator(t, real.Postgres(t))
}

func TestPoolRecoversWhenPostgresWasKilled(t *testing.T) {
	server := real.NewPostgres(t)
	db := openTest(t, server.Database(t), database.Options{})
	write := func() error {
		return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS t (id TEXT)")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	eventually(t, "the database is away", func() bool { return database.Away(write()) }) // a backend outlives its server for a moment
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes succeed again", func() bool { return write() == nil })
}

// TestSilentPostgresIsAway has the packets of open connections vanish, as those to a node that is gone do: nothing tells the pool.
func TestSilentPostgresIsAway(t *testing.T) {
	address, err := url.Parse(real.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	var silent atomic.Bool
	query := address.Query()
	address.Host = silenced(t, filepath.Join(query.Get("host"), ".s.PGSQL.5432"), &silent)
	query.Del("host")
	address.RawQuery = query.Encode()
	db := openTest(t, address.String(), database.Options{})
	begin := func(spend time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		select { // what a caller does before
		case <-time.After(spend):
		case <-ctx.Done():
		}
		return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT 1")
			return err
		})
	}
	if err := begin(0); err != nil {
		t.Fatal(err)
	}
	if err := begin(time.Minute); err == nil || database.Away(err) {
		t.Errorf("who came too late is told that the database is away: %v", err)
	}
	silent.Store(true)
	if err := begin(0); !database.Away(err) {
		t.Errorf("a database that does not answer is not away: %v", err)
	}
	silent.Store(false)
	eventually(t, "transactions succeed again", func() bool { return begin(0) == nil })
}

// silenced forwards connections to a server's socket, and swallows what goes over them while silent.
func silenced(t *testing.T, socket string, silent *atomic.Bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = client.Close() })
			go func() {
				backend, err := net.Dial("unix", socket)
				if err != nil {
					_ = client.Close()
					return
				}
				t.Cleanup(func() { _ = backend.Close() })
				go forward(backend, client, silent)
				forward(client, backend, silent)
			}()
		}
	}()
	return l.Addr().String()
}

func forward(to io.WriteCloser, from io.Reader, silent *atomic.Bool) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if silent.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
