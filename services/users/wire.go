package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/services/users/internal/consumer"
	"github.com/trellis-mesh/trellis/services/users/internal/http"
	"github.com/trellis-mesh/trellis/services/users/internal/password"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// openUsers opens the store of the users, and keeps each of them on the shard where it belongs as long as the service runs.
func openUsers(ctx context.Context, s *chassis.Service, d deps, set *settings) (*store.Store, error) {
	for _, name := range spec.Shards {
		if err := s.Migrate(ctx, d.shards[name], shard.Migrations()); err != nil {
			return nil, err
		}
	}
	users, err := store.Open(ctx, store.Options{
		Own: d.database, Shards: d.shards, Order: spec.Shards, Outboxes: d.outboxes, Sharding: set.Users.Sharding, Log: s.Log(), Registry: s.Registry(),
	})
	if err != nil {
		return nil, err
	}
	s.Go("homes of users", func(ctx context.Context) error { return users.Run(ctx, set.Users.Rebalance) })
	return users, nil
}

// logIns gives handlers of users who log in: who issues their tokens, and who may ask for one.
func logIns(ctx context.Context, s *chassis.Service, d deps, users *store.Store, set *settings) (http.Deps, error) {
	issuer, err := issueTokens(ctx, s, d.database, set)
	if err != nil {
		return http.Deps{}, err
	}
	passwords := password.New()
	if err := keepClient(ctx, users, passwords, set); err != nil {
		return http.Deps{}, err
	}
	return http.Deps{
		Store: users, Passwords: passwords, Summaries: sumUp(s, d, set),
		Issuer: issuer, IssuerURL: set.Auth.Issuer, UserScopes: set.Tokens.UserScopes,
	}, nil
}

// sumUp keeps the users' summaries, from the events that tell of their orders.
func sumUp(s *chassis.Service, d deps, set *settings) *summary.Summaries {
	summaries := summary.New(d.database, set.Summary.Generation)
	subscribe(s, consumer.New(d.inbox, summaries))
	s.Go("generation of summaries", func(ctx context.Context) error { return summaries.Run(ctx, s.Log()) })
	return summaries
}
