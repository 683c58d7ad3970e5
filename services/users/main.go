// Command users: Owns the people who use the shop.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/http"
	"github.com/trellis-mesh/trellis/services/users/internal/password"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

func main() {
	chassis.Main(spec, wire)
}

// wire builds the service on what it declares.
func wire(ctx context.Context, s *chassis.Service) error {
	deps, err := connect(ctx, s)
	if err != nil {
		return err
	}
	var set settings
	if err := s.Config(&set); err != nil {
		return err
	}
	issuer, err := issueTokens(ctx, s, deps.database, &set)
	if err != nil {
		return err
	}
	users, passwords := store.New(deps.database, deps.outbox), password.New()
	if err := keepClient(ctx, users, passwords, &set); err != nil {
		return err
	}
	api.Register(s.Router(), http.New(http.Deps{
		Store: users, Passwords: passwords, Issuer: issuer, IssuerURL: set.Auth.Issuer, UserScopes: set.Tokens.UserScopes,
	}))
	return nil
}
