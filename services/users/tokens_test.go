package main

import (
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/services/users/internal/password"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
	"github.com/trellis-mesh/trellis/services/users/migrations"
)

// configured reads settings from these variables and those that are required.
func configured(environ ...string) (*settings, error) {
	var set settings
	required := []string{"APP_AUTH_ISSUER=https://shop.example", "APP_AUTH_AUDIENCE=shop", "APP_TOKENS_KEY=key"}
	return &set, config.Load(&set, config.Options{Environ: append(required, environ...)})
}

func TestKeysArePublishedLongEnoughBeforeTheySign(t *testing.T) {
	for _, test := range []struct {
		rotation, lifetime, complaint string
		lead                          time.Duration
	}{
		{"24h", "10m", "", time.Hour},
		{"1h", "10m", "", 15 * time.Minute},
		{"2h", "10m", "", 30 * time.Minute},
		{"59m", "10m", "tokens.rotation", 0},
		{"4m", "1m", "tokens.rotation", 0},
		{"1h", "20m", "four times tokens.lifetime", 0},
	} {
		set, err := configured("APP_TOKENS_ROTATION="+test.rotation, "APP_TOKENS_LIFETIME="+test.lifetime)
		if test.complaint != "" {
			if err == nil || !strings.Contains(err.Error(), test.complaint) {
				t.Errorf("rotation %s: error %v, want one about %s", test.rotation, err, test.complaint)
			}
			continue
		}
		if err != nil {
			t.Errorf("rotation %s: %v", test.rotation, err)
			continue
		}
		if r := set.keyRotation(); r.Lead != test.lead || r.Keep < r.Lead || r.Keep < 2*set.Tokens.Lifetime {
			t.Errorf("rotation %s: %+v, want a lead of %v", test.rotation, r, test.lead)
		}
	}
}

func TestSecretOfTheFirstClientCanBeReplaced(t *testing.T) {
	opt := store.Options{Own: databasetest.New(t, migrations.FS), Order: []string{"s1"}, Sharding: store.ByHash}
	opt.Shards = map[string]*database.DB{"s1": databasetest.New(t, shard.Migrations())}
	users, err := store.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	passwords := password.New()
	keep := func(secret, scopes string) store.Client {
		t.Helper()
		set, err := configured("APP_TOKENS_CLIENT_ID=web", "APP_TOKENS_CLIENT_SECRET="+secret, "APP_TOKENS_CLIENT_SCOPES="+scopes)
		if err != nil {
			t.Fatal(err)
		}
		if err := keepClient(t.Context(), users, passwords, set); err != nil {
			t.Fatal(err)
		}
		kept, err := users.Client(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	opens := func(c store.Client, secret string) bool {
		t.Helper()
		right, err := passwords.Verify(t.Context(), c.SecretHash, secret)
		if err != nil {
			t.Fatal(err)
		}
		return right
	}
	first := keep("first", "orders:read")
	if again := keep("first", "orders:read"); again.SecretHash != first.SecretHash {
		t.Error("a client that is known just so was kept anew")
	}
	if second := keep("second", "orders:read"); opens(second, "first") || !opens(second, "second") {
		t.Error("the first secret still opens, or the second does not")
	}
	if wider := keep("second", "orders:read,orders:write"); wider.Scopes != "orders:read orders:write" || !opens(wider, "second") {
		t.Errorf("scopes %q", wider.Scopes)
	}
	if err := users.PutClient(t.Context(), store.Client{ID: "web", SecretHash: "$2a$of another kind", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if third := keep("third", "orders:read"); !opens(third, "third") {
		t.Error("a secret that cannot be read was not replaced")
	}
}
