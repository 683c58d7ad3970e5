package signing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/users/migrations"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// replica is a keeper with an issuer of its own, at a time that the test sets.
type replica struct {
	*Keeper
	issuer *auth.Issuer
	at     time.Time
}

func newReplica(t *testing.T, db *database.DB, secret string) *replica {
	t.Helper()
	r := &replica{at: noon}
	var err error
	if r.issuer, err = auth.NewIssuer(auth.IssuerOptions{Issuer: "https://shop.example", Audience: "shop", Now: func() time.Time { return r.at }}); err != nil {
		t.Fatal(err)
	}
	wrap, err := auth.NewKeyWrap(secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Keeper = New(db, wrap, r.issuer, auth.Rotation{}, slog.New(slog.DiscardHandler))
	r.now = func() time.Time { return r.at }
	return r
}

var secret = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

// published are the ids of the keys that a replica publishes.
func (r *replica) published(t *testing.T) (ids []string) {
	t.Helper()
	jwks, err := r.issuer.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}

func TestReplicasAgreeOnTheirKeys(t *testing.T) {
	db := databasetest.New(t, migrations.FS)
	replicas := []*replica{newReplica(t, db, secret), newReplica(t, db, secret), newReplica(t, db, secret)}
	seen := map[string]bool{}
	for hour := range 24 * 4 {
		var at sync.WaitGroup
		for _, r := range replicas {
			r.at = noon.Add(time.Duration(hour) * time.Hour)
			at.Go(func() {
				if err := r.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		at.Wait()
		for _, r := range replicas { // those that were first look again, as they do each minute
			if err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := strings.Join(replicas[0].published(t), " ")
		for _, r := range replicas[1:] {
			if got := strings.Join(r.published(t), " "); got != want {
				t.Fatalf("hour %d: one publishes %s, another %s", hour, want, got)
			}
		}
		for _, id := range replicas[0].published(t) {
			seen[id] = true
		}
		if n := len(replicas[0].published(t)); n > 3 {
			t.Fatalf("hour %d: %d keys", hour, n)
		}
	}
	if len(seen) != 5 { // one a day, and the next one
		t.Errorf("%d keys in four days", len(seen))
	}
}

func TestTokenOfOneReplicaIsGoodAtAnother(t *testing.T) {
	db := databasetest.New(t, migrations.FS)
	one, other := newReplica(t, db, secret), newReplica(t, db, secret)
	for _, r := range []*replica{one, other} {
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	token, _, err := one.issuer.Issue(auth.Grant{Subject: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.NewVerifier(auth.Options{Issuer: "https://shop.example", Audience: "shop", Keys: other.issuer, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestKeysAreKeptEncrypted(t *testing.T) {
	db := databasetest.New(t, migrations.FS)
	if err := newReplica(t, db, secret).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	if err := newReplica(t, db, other).Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "another secret") {
		t.Errorf("with another secret: error %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := newReplica(t, databasetest.New(t, migrations.FS), secret).Run(ctx); err != nil {
		t.Error(err)
	}
}
