package eventstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/trellis-mesh/trellis/chassis/database"
)

var (
	// ErrNotBuilt is a projection that has not caught up yet for the first time.
	ErrNotBuilt = errors.New("the projection is not built yet")
	// ErrUnknownProjection is a name that no projection has.
	ErrUnknownProjection = errors.New("there is no such projection")
	// ErrUnknownPosition is a position that no event has yet.
	ErrUnknownPosition = errors.New("no event has this position yet")
)

// Tx is the transaction in which an event has its effects and the checkpoint moves.
type Tx struct {
	bun.Tx

	Generation int64 // of the read model; its rows, or its tables' names, carry it
}

// Projection builds a read model from events. It has generations: a rebuild fills a new one beside the one that is read,
// and takes its place when it has caught up. So every row carries its generation, and readers ask for the live one:
//
//	query.Where("generation = (?)", eventstore.Live("balances"))
type Projection struct {
	Name   string
	Types  []string                                               // of the events that it needs; none: all
	Handle func(ctx context.Context, tx Tx, event Recorded) error // changes nothing but tx, so its effects happen once
	Drop   func(ctx context.Context, tx Tx) error                 // deletes the rows, or tables, of tx.Generation
	Create func(ctx context.Context, tx Tx) error                 // makes tables for tx.Generation; nil: there are none to make
}

// Live is a subquery for the generation of a projection that is to be read. In one statement with the reading of the rows
// it is always one that is whole; it is null until the projection is built for the first time.
func Live(projection string) schema.QueryWithArgs {
	return bun.SafeQuery("SELECT lp.generation FROM eventstore_projection AS lp WHERE lp.name = ? AND lp.state = ?", projection, live)
}

// The states of a generation. There is at most one live and one building.
const (
	building = "building"
	live     = "live"
	retired  = "retired" // to be dropped
)

type projectionRow struct {
	bun.BaseModel `bun:"table:eventstore_projection,alias:p"`

	Name           string `bun:",pk"`
	Generation     int64  `bun:",pk"`
	State          string
	Position       int64
	Failures       int
	FailedPosition int64
	LastError      string
	RetryAt        time.Time `bun:",nullzero"`
	ChangedAt      time.Time
}

// ProjectorOptions tune a Projector. The zero value is right for a service.
type ProjectorOptions struct {
	Batch      int           // events handled in one transaction; default 100
	Poll       time.Duration // how often it looks for events that no commit here told of; default 200ms
	Timeout    time.Duration // of one batch; default 30s
	Backoff    time.Duration // the wait after an event's first failure, doubled for each further one; default 1s
	MaxBackoff time.Duration // the longest wait; default 1m
	Grace      time.Duration // how long a generation is kept after another took its place; default 1m, negative: not at all
}

func (o ProjectorOptions) withDefaults() ProjectorOptions {
	if o.Batch == 0 {
		o.Batch = 100
	}
	for d, def := range map[*time.Duration]time.Duration{
		&o.Poll: 200 * time.Millisecond, &o.Timeout: 30 * time.Second, &o.Backoff: time.Second, &o.MaxBackoff: time.Minute,
		&o.Grace: time.Minute,
	} {
		if *d == 0 {
			*d = def
		}
	}
	return o
}

// Projector keeps read models up to date. Every replica runs one; for each generation one of them works at a time, since a
// batch of events begins with a lock on the generation's checkpoint. An event's effects and the checkpoint commit together.
type Projector struct {
	store *Store
	opt   ProjectorOptions
	log   *slog.Logger
	all   []*Projection
	moved signal // after each move of a checkpoint here
}

// NewProjector makes the projector of some projections.
func NewProjector(store *Store, opt ProjectorOptions, projections ...Projection) (*Projector, error) {
	if store == nil || len(projections) == 0 {
		return nil, errors.New("eventstore: a projector needs a store and projections")
	}
	p := &Projector{store: store, opt: opt.withDefaults(), log: store.opt.Log}
	for _, next := range projections {
		if err := validName("projection", next.Name); err != nil {
			return nil, fmt.Errorf("eventstore: %w", err)
		}
		if next.Handle == nil || next.Drop == nil {
			return nil, fmt.Errorf("eventstore: projection %s: it needs Handle and Drop", next.Name)
		}
		if _, err := p.named(next.Name); err == nil {
			return nil, fmt.Errorf("eventstore: projection %s is there twice", next.Name)
		}
		p.all = append(p.all, &next)
	}
	return p, nil
}

func (p *Projector) named(name string) (*Projection, error) {
	for _, one := range p.all {
		if one.Name == name {
			return one, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownProjection, name)
}

// Run keeps the read models up to date until ctx ends. A projection that fails is tried again and again, each time after a
// longer wait, and stops no other.
func (p *Projector) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	for _, one := range p.all {
		group.Go(func() { p.serve(ctx, one, live) })
		group.Go(func() { p.serve(ctx, one, building) })
	}
	group.Go(func() {
		for ok := true; ok; ok = rest(ctx, statsInterval, nil) {
			if err := p.measure(ctx); err != nil && ctx.Err() == nil {
				p.log.Warn("projections cannot be measured", "error", err)
			}
		}
	})
	return nil
}

// serve does the work of one projection's live or building generation; the latter's also begins and ends generations.
func (p *Projector) serve(ctx context.Context, one *Projection, state string) {
	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	for pause := shortest; ctx.Err() == nil; {
		changed := p.store.changed.next()
		did, err := p.turn(ctx, one, state)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.log.Warn("a projection does not get on", "projection", one.Name, "error", err, "next", pause.String())
			rest(ctx, pause, nil)
			pause = min(2*pause, longest)
			continue
		case !did:
			rest(ctx, p.opt.Poll, changed)
		}
		pause = shortest
	}
}

// turn does a bit of the work and reports whether there may be more.
func (p *Projector) turn(ctx context.Context, one *Projection, state string) (bool, error) {
	if state == building {
		if err := p.begin(ctx, one); err != nil {
			return false, err
		}
		if err := p.drop(ctx, one); err != nil {
			return false, err
		}
	}
	return p.advance(ctx, one, state)
}

// CatchUp has the projections handle all events there are, and returns when nothing is left that does not wait after a
// failure or is not another replica's work.
func (p *Projector) CatchUp(ctx context.Context) error {
	for _, one := range p.all {
		for _, state := range []string{building, live} {
			for did := true; did; {
				var err error
				if did, err = p.turn(ctx, one, state); err != nil {
					return fmt.Errorf("catch up with projection %s: %w", one.Name, err)
				}
			}
		}
	}
	return nil
}

// WaitFor waits until the live generation has handled the event at a position, as Append gave it, or ctx ends.
// A position that no event has is refused with ErrUnknownPosition at once.
func (p *Projector) WaitFor(ctx context.Context, projection string, position int64) error {
	if _, err := p.named(projection); err != nil {
		return err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		moved := p.moved.next()
		at, err := p.position(ctx, projection)
		switch {
		case err == nil && at >= position:
			return nil
		case err != nil && !errors.Is(err, ErrNotBuilt):
			return fmt.Errorf("wait for projection %s: %w", projection, err)
		}
		last, headErr := head(ctx, p.store.db)
		if headErr == nil && position > last {
			return fmt.Errorf("wait for projection %s at position %d: %w: the last is %d", projection, position, ErrUnknownPosition, last)
		}
		if !rest(ctx, pause, moved) {
			return fmt.Errorf("wait for projection %s at position %d, it is at %d: %w", projection, position, at, errors.Join(ctx.Err(), err))
		}
	}
}

// Generation gives the live generation, for readers of tables that are named after it; ErrNotBuilt before the first one.
// They have Grace to finish after another took its place.
func (p *Projector) Generation(ctx context.Context, projection string) (int64, error) {
	row, err := p.live(ctx, projection)
	return row.Generation, err
}

func (p *Projector) position(ctx context.Context, projection string) (int64, error) {
	row, err := p.live(ctx, projection)
	return row.Position, err
}

func (p *Projector) live(ctx context.Context, name string) (row projectionRow, err error) {
	err = p.store.db.NewSelect().Model(&row).Where("name = ?", name).Where("state = ?", live).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fmt.Errorf("projection %s: %w", name, ErrNotBuilt)
	}
	return row, err
}

// head gives the last position.
func head(ctx context.Context, db bun.IDB) (position int64, err error) {
	err = db.NewSelect().Model((*eventRow)(nil)).ColumnExpr("COALESCE(MAX(position), 0)").Scan(ctx, &position)
	return position, err
}

// forUpdate locks the rows of a query; SQLite's transactions have locked everything.
func (p *Projector) forUpdate(query *bun.SelectQuery, how string) *bun.SelectQuery {
	if p.store.db.Kind() == database.Postgres {
		query.For(how)
	}
	return query
}
