// Package idempotency lets a client repeat a request that creates something, with the same Idempotency-Key header, without
// creating it twice: the first answer is given again. It follows draft-ietf-httpapi-idempotency-key-header.
//
//	keys, err := idempotency.New(db, idempotency.Options{Required: []string{"createOrder"}})
//	server.Router().Use(keys.Middleware) // before the handlers are registered
//	go keys.Run(ctx)
//
// A key is claimed before the handler runs and completed in the handler's own transaction, with the answer that it will give:
//
//	err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
//		… // write the order
//		return idempotency.Complete(ctx, tx, answer.VisitCreateOrderResponse)
//	})
//
// So the effect, the used key and the answer commit together. Whatever is killed at whatever moment, a repetition finds
// either all three, and gets the answer, or none, and is carried out. A claim that was left by a killed process ends with its
// lease; should its owner still live, then its Complete fails and its transaction rolls back.
//
// What becomes of a request with a key:
//
//   - the key is new: it is carried out; of its answer, status, body and the headers of Options.Headers are kept;
//   - the key was used for the same request (method, path, query and body, whatever the order and the spacing of JSON): the kept
//     answer, with Idempotency-Replayed: true;
//   - the key was used for another request: 422 idempotency_key_reused;
//   - its first request is still under way: 409 idempotency_in_progress, with Retry-After. It does not wait, since those who
//     wait would take the places of others;
//   - the key is malformed, or missing where it is required: 400.
//
// Not kept, so that a repetition is carried out anew: 5xx, and 401, 403, 408, 425, 429 and 499, which speak of the credentials or the
// moment and not of the request. Every other 4xx is kept: for another outcome the client takes another key. What the
// contract's validation refuses never reaches the key.
//
// An answer 2xx of a handler that has not called Complete is kept as soon as it is made: right for an effect outside the database,
// such as a call that carries the key on, but a crash between the effect and that moment lets a repetition have it again.
//
// Keys belong to a principal and an operation. The table has hashes of them only, and the hash of a request is made with the
// key, so that nobody can find out a body, say a card number, by trying.
package idempotency

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/database"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the table of the keys, for database.Migrate; they are recorded apart from the service's own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("idempotency", root)
}

// Options describe which operations take keys, and how. Every zero value but that of Required and Optional is right for a
// service.
type Options struct {
	Required    []string                     // operationIds that refuse a request without a key
	Optional    []string                     // operationIds that take a key and do without
	Principal   func(context.Context) string // whom keys belong to; default: the access token's subject, "" without a token
	Expiry      time.Duration                // how long an answer is kept; default 24h
	Lease       time.Duration                // when the claim of a killed process ends; default: the request's deadline and 5s
	BodyLimit   int64                        // bytes of a request's body that are compared, else 413; default 1 MiB
	AnswerLimit int                          // bytes of an answer's body that are kept; default 1 MiB
	Headers     []string                     // of an answer, that are kept; default DefaultHeaders
	Log         *slog.Logger                 // default: slog.Default
	Registry    prometheus.Registerer        // nil: no metrics
	Now         func() time.Time             // default: time.Now
}

// DefaultHeaders are the headers of an answer that are kept: what describes its body, and where the created thing is.
// Set-Cookie must never be among them.
var DefaultHeaders = []string{
	"Cache-Control", "Content-Language", "Content-Type", "Deprecation", "Etag", "Last-Modified", "Link", "Location", "Sunset",
	"X-Content-Type-Options",
}

const (
	settleTimeout = 5 * time.Second  // of what is written after the handler has returned, whatever became of the request
	noDeadline    = 30 * time.Second // what a request without a deadline is thought to take at most
)

func (o Options) withDefaults() Options {
	if o.Principal == nil {
		o.Principal = subject
	}
	if o.Expiry == 0 {
		o.Expiry = 24 * time.Hour
	}
	if o.BodyLimit == 0 {
		o.BodyLimit = 1 << 20
	}
	if o.AnswerLimit == 0 {
		o.AnswerLimit = 1 << 20
	}
	if o.Headers == nil {
		o.Headers = DefaultHeaders
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func subject(ctx context.Context) string {
	if who, ok := auth.From(ctx); ok {
		return who.Subject
	}
	return ""
}

// Keys are the idempotency keys of one service.
type Keys struct {
	db         *database.DB
	opt        Options
	operations map[string]*operation
	metrics    *metrics
}

// operation is one that takes keys.
type operation struct {
	id       string
	required bool
	warn     sync.Once // about answers that are not completed in a transaction
}

// New makes the keys of a service, kept in db, which has Migrations applied.
func New(db *database.DB, opt Options) (*Keys, error) {
	if db == nil {
		return nil, errors.New("idempotency: it needs a database")
	}
	if len(opt.Required)+len(opt.Optional) == 0 {
		return nil, errors.New("idempotency: no operation takes a key: name some in Options.Required or Options.Optional")
	}
	opt = opt.withDefaults()
	k := &Keys{db: db, opt: opt, operations: map[string]*operation{}}
	for _, id := range slices.Concat(opt.Required, opt.Optional) {
		if k.operations[id] != nil {
			return nil, fmt.Errorf("idempotency: operation %s is named twice in Options.Required and Options.Optional: name it once", id)
		}
		k.operations[id] = &operation{id: id, required: slices.Contains(opt.Required, id)}
	}
	var err error
	if k.metrics, err = newMetrics(opt.Registry); err != nil {
		return nil, fmt.Errorf("idempotency: metrics: %w", err)
	}
	return k, nil
}
