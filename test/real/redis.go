package real

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/internal/port"
)

const redisDatabases = 1000

type redisServer struct {
	port int
	used atomic.Int64
}

var sharedRedis shared[*redisServer]

// Redis gives the URL of an empty database, for this test alone, on the server that the process shares.
func Redis(t testing.TB) string {
	t.Helper()
	s := sharedRedis.get(t, startRedis)
	n := s.used.Add(1)
	if n >= redisDatabases {
		t.Fatal("no Redis database is left for this test")
	}
	return fmt.Sprintf("redis://127.0.0.1:%d/%d", s.port, n)
}

// startRedis tries a few ports, since another process may take one between its choice and its use.
func startRedis() (*redisServer, error) {
	path, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := folder("redis")
	if err != nil {
		return nil, err
	}
	for range 3 {
		free, portErr := port.Free(1)
		if portErr != nil {
			return nil, portErr
		}
		var p *process
		p, err = start(dir, nil, nil, path, "--bind", "127.0.0.1", "--port", strconv.Itoa(free[0]),
			"--save", "", "--appendonly", "no", "--databases", strconv.Itoa(redisDatabases))
		if err != nil {
			return nil, err
		}
		client := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", free[0]), MaxRetries: -1})
		err = p.await(10*time.Second, func(ctx context.Context) error { return client.Ping(ctx).Err() })
		if err = errors.Join(err, client.Close()); err == nil {
			return &redisServer{port: free[0]}, nil
		}
		p.kill()
	}
	return nil, err
}
