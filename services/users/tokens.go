package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/users/internal/password"
	"github.com/trellis-mesh/trellis/services/users/internal/signing"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// settings are what the service is configured with.
type settings struct {
	Users struct {
		Sharding  string        `config:"sharding" default:"hash" doc:"what users are spread over the shards by: hash, range (of names) or region; fixed at the first start"`
		Rebalance time.Duration `config:"rebalance" default:"5m" doc:"how long after the start users are moved to a shard that was added, when all replicas know it; 0s: never"`
	} `config:"users"`
	Summary struct {
		Generation int64 `config:"generation" default:"1" doc:"of the summaries: a larger number has all made anew from the orders, once"`
	} `config:"summary"`
	Auth struct {
		Issuer   string `config:"issuer" required:"true" doc:"what the tokens name as their issuer: the platform's URL"`
		Audience string `config:"audience" required:"true" doc:"whom the tokens are meant for"`
	} `config:"auth"`
	Tokens struct {
		Key        config.Secret `config:"key" required:"true" doc:"what the signing keys are encrypted with: 32 random bytes in base64"`
		Lifetime   time.Duration `config:"lifetime" default:"10m" doc:"how long a token is valid"`
		Rotation   time.Duration `config:"rotation" default:"24h" doc:"how long a key signs"`
		UserScopes []string      `config:"userScopes" default:"orders:read,orders:write,payments:read,users:read" doc:"what a user who logs in may do"`
		Client     struct {
			ID     string        `config:"id" doc:"a first client, which is made or changed to this at the start"`
			Secret config.Secret `config:"secret" doc:"that client's secret"`
			Scopes []string      `config:"scopes" doc:"what that client may do"`
		} `config:"client"`
	} `config:"tokens"`
}

// leastLead is how long a key is at least published before it signs. istiod has Envoy keep a JWKS for 5 minutes, services fetch
// it as often, and a replica that did not make the key publishes it within one more; this leaves time for fetches that fail.
const leastLead = 15 * time.Minute

// Validate checks what the types cannot.
func (s *settings) Validate(c *config.Check) {
	c.Must("users.rebalance", s.Users.Rebalance >= 0, "is negative", "give 0s or more")
	c.Must("summary.generation", s.Summary.Generation > 0, "is no generation", "give 1 or more")
	c.Must("tokens.lifetime", s.Tokens.Lifetime >= time.Minute && s.Tokens.Lifetime <= time.Hour, "is not the time of a token", "give 1m to 1h")
	c.Must("tokens.rotation", s.Tokens.Rotation >= 4*leastLead, "leaves others no time to fetch a key before it signs", "give 1h or more")
	c.Must("tokens.rotation", s.Tokens.Rotation >= 4*s.Tokens.Lifetime, "is too often for tokens that live so long", "give at least four times tokens.lifetime")
	c.Must("tokens.client.secret", (s.Tokens.Client.ID == "") == s.Tokens.Client.Secret.IsZero(), "and tokens.client.id go together", "give both or none")
}

func (s *settings) keyRotation() auth.Rotation {
	part := min(time.Hour, s.Tokens.Rotation/4) // Validate has seen to leastLead
	return auth.Rotation{Period: s.Tokens.Rotation, Lead: part, Keep: max(part, 2*s.Tokens.Lifetime)}
}

// issueTokens makes the issuer, whose keys are kept in db, and rotated as long as the service runs.
func issueTokens(ctx context.Context, s *chassis.Service, db *database.DB, set *settings) (*auth.Issuer, error) {
	issuer, err := auth.NewIssuer(auth.IssuerOptions{Issuer: set.Auth.Issuer, Audience: set.Auth.Audience, Lifetime: set.Tokens.Lifetime})
	if err != nil {
		return nil, err
	}
	wrap, err := auth.NewKeyWrap(set.Tokens.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("tokens.key: %w", err)
	}
	keeper := signing.New(db, wrap, issuer, set.keyRotation(), s.Log())
	if err := keeper.Refresh(ctx); err != nil {
		return nil, err
	}
	s.Go("signing keys", keeper.Run)
	s.VerifyWith(issuer)
	return issuer, nil
}

// keepClient keeps the configured client, unless it is known just so. A secret that has been there before, or one that cannot
// be read any more, is replaced: from then on the configured one alone is right.
func keepClient(ctx context.Context, users *store.Store, passwords *password.Hasher, set *settings) error {
	first := &set.Tokens.Client
	if first.ID == "" {
		return nil
	}
	known, err := users.Client(ctx, first.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	scopes := strings.Join(first.Scopes, " ")
	same, err := passwords.Verify(ctx, known.SecretHash, first.Secret.Reveal())
	if err != nil && !errors.Is(err, password.ErrUnreadable) {
		return err
	}
	if same && known.Scopes == scopes {
		return nil
	}
	hash, err := passwords.Hash(ctx, first.Secret.Reveal())
	if err != nil {
		return err
	}
	return users.PutClient(ctx, store.Client{ID: first.ID, SecretHash: hash, Scopes: scopes, CreatedAt: time.Now().UTC()})
}
