// Package signing keeps the keys that tokens are signed with in the service's database, encrypted, and rotates them. Any
// number of replicas may do so at once.
package signing

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/database"
)

// row is a key as it is kept.
type row struct {
	bun.BaseModel `bun:"table:signing_keys"`

	Generation int64 `bun:",pk"`
	ID         string
	Wrapped    string
	BeginsAt   time.Time
}

// Keeper gives an issuer its keys.
type Keeper struct {
	db       *database.DB
	wrap     *auth.KeyWrap
	issuer   *auth.Issuer
	rotation auth.Rotation
	log      *slog.Logger
	now      func() time.Time
}

// New makes a keeper of the keys in db.
func New(db *database.DB, wrap *auth.KeyWrap, issuer *auth.Issuer, rotation auth.Rotation, log *slog.Logger) *Keeper {
	return &Keeper{db: db, wrap: wrap, issuer: issuer, rotation: rotation.WithDefaults(), log: log, now: time.Now}
}

// every is how often a replica looks for keys that another has made. It is much less than they are published before they sign.
const every = time.Minute

// Run rotates the keys until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(min(every, k.rotation.Lead/4))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		// The keys that there are go on: the next one is made long before it is needed.
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			k.log.ErrorContext(ctx, "the signing keys were not refreshed", "error", err)
		}
	}
}

// Refresh makes the next key if it is time, removes those that nobody needs any more, and hands the others to the issuer.
func (k *Keeper) Refresh(ctx context.Context) error {
	keys, last, err := k.load(ctx)
	if err != nil {
		return err
	}
	now := k.now().UTC()
	if begins, due := k.rotation.Due(keys, now); due {
		if err := k.add(ctx, last+1, begins.Truncate(time.Microsecond)); err != nil {
			return err
		}
		if keys, _, err = k.load(ctx); err != nil {
			return err
		}
	}
	for _, retired := range k.rotation.Retired(keys, now) {
		if _, err := k.db.NewDelete().Model((*row)(nil)).Where("id = ?", retired.ID).Exec(ctx); err != nil {
			return fmt.Errorf("remove signing key %s: %w", retired.ID, err)
		}
		k.log.InfoContext(ctx, "a signing key was removed", "key", retired.ID)
	}
	if keys, _, err = k.load(ctx); err != nil {
		return err
	}
	return k.issuer.Use(keys)
}

func (k *Keeper) load(ctx context.Context) (keys []auth.SigningKey, last int64, err error) {
	var rows []row
	if err := k.db.NewSelect().Model(&rows).Order("generation").Scan(ctx); err != nil {
		return nil, 0, fmt.Errorf("select signing keys: %w", err)
	}
	for i := range rows {
		wrapped, err := base64.StdEncoding.DecodeString(rows[i].Wrapped)
		if err != nil {
			return nil, 0, fmt.Errorf("read signing key %s: %w", rows[i].ID, err)
		}
		key, err := k.wrap.Unwrap(rows[i].ID, rows[i].BeginsAt, wrapped)
		if err != nil {
			return nil, 0, err
		}
		keys, last = append(keys, key), rows[i].Generation
	}
	return keys, last, nil
}

// add makes the key of a generation, unless another replica has done so meanwhile.
func (k *Keeper) add(ctx context.Context, generation int64, begins time.Time) error {
	key, err := auth.NewSigningKey(begins)
	if err != nil {
		return err
	}
	wrapped, err := k.wrap.Wrap(key)
	if err != nil {
		return err
	}
	made := row{Generation: generation, ID: key.ID, Wrapped: base64.StdEncoding.EncodeToString(wrapped), BeginsAt: begins}
	result, err := k.db.NewInsert().Model(&made).On("CONFLICT (generation) DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("insert signing key: %w", err)
	}
	if n, err := result.RowsAffected(); err == nil && n > 0 {
		k.log.InfoContext(ctx, "a signing key was made", "key", key.ID, "begins", begins)
	}
	return nil
}
