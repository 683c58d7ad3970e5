package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a PostgreSQL server; it listens on a socket in its folder only.
type PostgresServer struct {
	bin, dir  string
	settings  []string
	owner     *syscall.Credential
	process   *process
	databases atomic.Int64
}

var sharedPostgres shared[*PostgresServer]

// Postgres gives the URL of an empty database, for this test alone, on the server that the process shares.
func Postgres(t testing.TB) string {
	t.Helper()
	// What a crash of the machine would do to the files is of no interest.
	return sharedPostgres.get(t, func() (*PostgresServer, error) {
		return startPostgres("fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}).Database(t)
}

// NewPostgres starts a server for this test alone, as durable as in production. Settings are like "work_mem=1MB".
func NewPostgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	s, err := startPostgres(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	})
	return s
}

func startPostgres(settings ...string) (*PostgresServer, error) {
	initdb, err := find("initdb", "/usr/lib/postgresql/*/bin/initdb", "/usr/local/pgsql/bin/initdb")
	if err != nil {
		return nil, err
	}
	dir, err := folder("pg")
	if err != nil {
		return nil, err
	}
	if len(dir)+len("/.s.PGSQL.5432") > 107 {
		return nil, fmt.Errorf("the path %s is too long for a socket: set TMPDIR to a shorter one", dir)
	}
	s := &PostgresServer{bin: filepath.Dir(initdb), dir: dir, settings: settings}
	if s.owner, err = ordinaryUser(dir); err != nil {
		return nil, err
	}
	if err := output(s.owner, dir, initdb, "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// ordinaryUser gives dir to a user that PostgreSQL accepts to run as: it refuses root.
func ordinaryUser(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// Start starts the server again after Kill and waits until it answers. A killed server's children take a moment to notice
// their parent's death, and as long as one is there, PostgreSQL refuses to start.
func (s *PostgresServer) Start() error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := s.startOnce()
		if err == nil {
			return nil
		}
		if s.process != nil {
			s.process.kill()
		}
		if !strings.Contains(err.Error(), "still in use") || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *PostgresServer) startOnce() error {
	args := []string{"-D", s.dir + "/data", "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200",
		"-c", "max_prepared_transactions=64", "-c", "shared_buffers=32MB"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	p, err := start(s.dir, nil, s.owner, filepath.Join(s.bin, "postgres"), args...)
	if err != nil {
		return err
	}
	s.process = p
	return p.await(30*time.Second, func(ctx context.Context) error { return s.run(ctx, "SELECT 1") })
}

// Kill ends the server by SIGKILL.
func (s *PostgresServer) Kill() { s.process.kill() }

// Database gives the URL of a new, empty database that is dropped when the test ends.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.run(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.run(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Log(err) // the test may have killed the server
		}
	})
	return s.url(name)
}

func (s *PostgresServer) url(database string) string {
	return "postgres://postgres@localhost/" + database + "?sslmode=disable&host=" + s.dir
}

func (s *PostgresServer) run(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
