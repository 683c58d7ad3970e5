package chassis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
)

// Database opens the service's own database and brings it up to date with the migrations, unless database.migrate is
// false. It has a readiness check and pool metrics, and is closed last.
func (s *Service) Database(ctx context.Context, migrations fs.FS) (*database.DB, error) {
	if !s.spec.Database {
		return nil, errors.New("open the database: the service declares none: set database.kind in its service.yaml and run scaffold sync")
	}
	url := s.settings.Service.Database.URL.Reveal()
	if url == "" {
		return nil, missing("open the database", "database.url", "postgres://user@host/"+s.spec.Name+" or sqlite:///tmp/"+s.spec.Name+".db")
	}
	return s.open(ctx, "database", url, database.Options{MaxOpen: s.settings.Service.Database.Connections}, migrations)
}

// Shards opens the declared shards of the database, by name. Each is treated as Database treats the one: migrations, metrics, a
// readiness check called database-<shard>. The tables of package shard are for the service to add, with Migrate.
func (s *Service) Shards(ctx context.Context, migrations fs.FS) (map[string]*database.DB, error) {
	if len(s.spec.Shards) == 0 {
		return nil, errors.New("open the shards: the service declares none: name them in database.shards of its service.yaml and run scaffold sync")
	}
	all := map[string]*database.DB{}
	const fewest, standard = 4, 20 // connections: to one shard, and to all together as to the one database
	each := max(fewest, cmp.Or(s.settings.Service.Database.Connections, standard)/len(s.spec.Shards))
	for _, name := range s.spec.Shards {
		opt := database.Options{Name: s.spec.Name + "-" + name, MaxOpen: each}
		db, err := s.open(ctx, "database-"+name, s.settings.Service.Database.Shards[name].URL.Reveal(), opt, migrations)
		if err != nil {
			return nil, fmt.Errorf("shard %s: %w", name, err)
		}
		all[name] = db
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards = maps.Clone(all)
	return all, nil
}

// open opens a database whose part in the stop and in readiness has a name.
func (s *Service) open(ctx context.Context, name, url string, opt database.Options, migrations fs.FS) (*database.DB, error) {
	opt.Registry, opt.Tracer = s.Registry(), s.tel.Tracing
	db, err := database.Open(ctx, url, opt)
	if err != nil {
		return nil, err
	}
	s.closeLast(name, db.Close)
	if err := s.migrate(ctx, db, migrations); err != nil {
		return nil, err
	}
	s.health.Add(name, db.PingContext)
	return db, nil
}

// Migrate brings db up to date with tables that are not the service's own, such as saga.Migrations and twophase.Migrations, unless
// database.migrate is false.
func (s *Service) Migrate(ctx context.Context, db *database.DB, migrations fs.FS) error {
	return s.migrate(ctx, db, migrations)
}

func (s *Service) migrate(ctx context.Context, db *database.DB, migrations fs.FS) error {
	if migrations == nil || !s.settings.migration.Database.Migrate {
		return nil
	}
	if err := database.Migrate(ctx, db, migrations); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// Cache opens the service's own Redis, with metrics and spans; it is closed last. It does not wait for Redis and is no part
// of readiness: a cache that is away makes a service slower, not wrong.
func (s *Service) Cache(context.Context) (redis.UniversalClient, error) {
	if !s.spec.Cache {
		return nil, errors.New("open the cache: the service declares none: set cache.kind in its service.yaml and run scaffold sync")
	}
	if s.cache != nil {
		return s.cache, nil
	}
	url := s.settings.Redis.URL.Reveal()
	if url == "" {
		return nil, missing("open the cache", "redis.url", "redis://localhost:6379/0")
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open the cache: redis.url is no redis:// URL: write it like redis://host:6379/0")
	}
	opt.ContextTimeoutEnabled = true // who gives a command little time means it
	hook, err := newCacheHook(s.tel)
	if err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	client := redis.NewClient(opt)
	s.closeLast("cache", client.Close)
	client.AddHook(hook)
	s.cache = client
	return client, nil
}

// Client gives the HTTP client of a declared callee, with the declared timeout, retries and bulkhead. Calls
// made for a request carry its Authorization header, as the callee may ask for the scopes of whoever made it. Where the callee is
// comes from the configuration: calls.<callee>.url, without which the service does not start. A callee has one client, whoever asks
// for it and however often, since two would be two bulkheads and two breakers.
func (s *Service) Client(callee string) (*httpclient.Client, error) {
	if client := s.clients[callee]; client != nil {
		return client, nil
	}
	i := slices.IndexFunc(s.spec.Calls, func(c Call) bool { return c.Service == callee })
	if i < 0 {
		return nil, fmt.Errorf("call %s: the service does not declare that it does: add it to calls in its service.yaml and run scaffold sync", callee)
	}
	declared := s.spec.Calls[i]
	client, err := httpclient.New(httpclient.Options{
		Name: callee, Caller: s.spec.Name, URL: s.settings.Calls[callee].URL,
		Timeout: declared.Timeout, Attempts: declared.Attempts, PerTry: declared.PerTry, Concurrency: declared.Concurrency,
		Mesh:       s.settings.Mesh,
		Forward:    true,
		Registerer: s.Registry(), Tracer: s.tel.Tracing, Propagator: s.tel.Propagator, Log: s.Log(),
	})
	if err != nil {
		return nil, err
	}
	s.closeLast("connections to "+callee, func() error {
		client.HTTP.CloseIdleConnections()
		return nil
	})
	s.clients[callee] = client
	return client, nil
}
