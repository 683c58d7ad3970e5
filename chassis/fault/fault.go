package fault

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Rule says what happens to a share of the requests.
type Rule struct {
	// Delay holds a request up, at most MaxDelay, before anything else; a client that goes away ends it.
	Delay time.Duration
	// Error answers with the status, 400 to 599, instead of going on; 0 for none.
	Error int
	// Refuse closes the connection without an answer. Not together with Error.
	Refuse bool
	// Share is the part of the requests that is hit, above 0 to 1.
	Share float64
	// Operations are the operations that are hit; all when empty.
	Operations []string
}

// MaxDelay is the longest delay, so that a forgotten rule cannot hold connections for ever.
const MaxDelay = 5 * time.Minute

// Validate says what is wrong with a rule, field by field.
func (r Rule) Validate() error {
	var faults []problem.FieldError
	wrong := func(field, detail string) {
		faults = append(faults, problem.FieldError{In: "body", Pointer: "/" + field, Detail: detail})
	}
	if r.Delay < 0 || r.Delay > MaxDelay {
		wrong("delay", "must be a duration from 0s to "+MaxDelay.String())
	}
	if r.Error != 0 && (r.Error < 400 || r.Error > 599) {
		wrong("error", "must be a status from 400 to 599")
	}
	if r.Error != 0 && r.Refuse {
		wrong("refuse", "cannot stand together with error: a refused request has no answer")
	}
	if !(r.Share > 0 && r.Share <= 1) {
		wrong("share", "must be a number above 0, at most 1")
	}
	if r.Delay == 0 && r.Error == 0 && !r.Refuse {
		wrong("", "must have a delay, an error, or refuse")
	}
	if len(faults) > 0 {
		return problem.Invalid("invalid_fault", "The fault is not possible.", faults...)
	}
	return nil
}

// Options bring chance in. The zero value is ready to use.
type Options struct {
	// Rand gives numbers from 0 to below 1; math/rand/v2's when nil.
	Rand func() float64
}

// Injector holds the rule in force. It is safe for concurrent use.
type Injector struct {
	rand func() float64
	rule atomic.Pointer[Rule]
}

// New makes an injector without a rule.
func New(opt Options) *Injector {
	if opt.Rand == nil {
		opt.Rand = rand.Float64
	}
	return &Injector{rand: opt.Rand}
}

// Set puts a rule in force in place of the one that was.
func (i *Injector) Set(r Rule) error {
	if err := r.Validate(); err != nil {
		return err
	}
	r.Operations = slices.Clone(r.Operations)
	i.rule.Store(&r)
	return nil
}

// Clear takes the rule away.
func (i *Injector) Clear() { i.rule.Store(nil) }

// Rule gives the rule in force, if there is one.
func (i *Injector) Rule() (Rule, bool) {
	r := i.rule.Load()
	if r == nil {
		return Rule{}, false
	}
	return *r, true
}

// Apply does to a request what the rule says. When the request is to end here it has been answered and c is aborted; a
// refused one panics with http.ErrAbortHandler, at which net/http closes the connection.
func (i *Injector) Apply(c *gin.Context, operation string) {
	if r := i.rule.Load(); r != nil {
		i.apply(c, operation, r)
	}
}

func (i *Injector) apply(c *gin.Context, operation string, r *Rule) {
	if len(r.Operations) > 0 && !slices.Contains(r.Operations, operation) {
		return
	}
	if r.Share < 1 && i.rand() >= r.Share {
		return
	}
	if r.Delay > 0 {
		wait := time.NewTimer(r.Delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-c.Request.Context().Done():
			problem.Abort(c, fmt.Errorf("injected delay: %w", c.Request.Context().Err()))
			return
		}
	}
	switch {
	case r.Refuse:
		panic(http.ErrAbortHandler)
	case r.Error != 0:
		problem.Abort(c, problem.New(r.Error, "injected_fault", "This request was failed on purpose."))
	}
}
