package httpserver

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// operation is all that is known about a route before a request comes, so that a request looks it up once and then
// follows pointers.
type operation struct {
	id     string // operationId; the route when it is not in the contract
	method string
	route  string
	// timeout and bodyLimit bound a request; a negative bodyLimit is none.
	timeout   time.Duration
	bodyLimit int64
	// slow is set when timeout is the operation's own, so that the connection's deadlines have to follow it.
	slow bool
	// stream is set when the connection's deadlines follow the bytes.
	stream *streaming
	// security is what a request must show, one alternative of scopes; nil when anybody may.
	security [][]string
	// proxies are those whose X-Forwarded-For is believed.
	proxies []netip.Prefix
	// contract is what a request must look like; nil when nothing has to be checked.
	contract *contractOperation

	span     spanStart
	duration prometheus.Observer
	requests [maxCallers]atomic.Pointer[byStatus] // by the caller's number
}

// byStatus are counters, each resolved when it is first needed.
type byStatus [600]atomic.Pointer[prometheus.Counter]

// count gives the counter of the operation's requests with a status, of the caller that the headers tell.
func (o *operation) count(m *metrics, status int, h http.Header) prometheus.Counter {
	number, caller := m.callers.number(h)
	counters := o.requests[number].Load()
	if counters == nil {
		o.requests[number].CompareAndSwap(nil, &byStatus{})
		counters = o.requests[number].Load()
	}
	if status < 0 || status >= len(counters) {
		status = 0
	}
	if counter := counters[status].Load(); counter != nil {
		return *counter
	}
	counter := m.requests.WithLabelValues(o.id, o.method, strconv.Itoa(status), caller)
	counters[status].Store(&counter)
	return counter
}

// routeKey is how gin names a route.
type routeKey struct{ method, path string }

// operations finds the operation of a request by the route that gin has matched already. The map is replaced, never
// changed, so that reading it needs no lock; routes that are not in the contract are added when they are first used.
type operations struct {
	opt     Options
	proxies []netip.Prefix
	metrics *metrics
	known   atomic.Pointer[map[routeKey]*operation]
	adding  sync.Mutex
}

func newOperations(opt Options, contract []*contractOperation, m *metrics) *operations {
	o := &operations{opt: opt, proxies: parseProxies(opt.TrustedProxies), metrics: m}
	known := make(map[routeKey]*operation, len(contract))
	for _, c := range contract {
		op := o.prepare(c.id, c.method, c.route)
		op.contract, op.security, op.stream = c.checks(), c.security, c.stream
		if c.timeout > 0 {
			op.timeout, op.slow = c.timeout, true
		}
		if c.bodyLimit != 0 {
			op.bodyLimit = c.bodyLimit
		}
		known[routeKey{c.method, c.route}] = op
	}
	o.known.Store(&known)
	return o
}

func (o *operations) prepare(id, method, route string) *operation {
	return &operation{
		id: id, method: method, route: route,
		timeout: o.opt.RequestTimeout, bodyLimit: o.opt.BodyLimit, proxies: o.proxies,
		span:     newSpanStart(method, route),
		duration: o.metrics.duration.WithLabelValues(id, method),
	}
}

// Serves tells whether the contract has an operation of this id.
func (s *Server) Serves(operationID string) bool {
	for _, op := range *s.operations.known.Load() {
		if op.id == operationID && op.route != op.id {
			return true
		}
	}
	return false
}

// unmatched is the operation of requests that no route matches.
const unmatched = "unmatched"

func (o *operations) of(c *gin.Context) *operation {
	key := routeKey{c.Request.Method, c.FullPath()}
	if op := (*o.known.Load())[key]; op != nil {
		return op
	}
	if key.path == "" {
		key.method = knownMethod(key.method)
	}
	return o.add(key)
}

func (o *operations) add(key routeKey) *operation {
	o.adding.Lock()
	defer o.adding.Unlock()
	known := *o.known.Load()
	if op := known[key]; op != nil {
		return op
	}
	id := key.path
	if id == "" {
		id = unmatched
	}
	op := o.prepare(id, key.method, key.path)
	grown := make(map[routeKey]*operation, len(known)+1)
	for k, v := range known {
		grown[k] = v
	}
	grown[key] = op
	o.known.Store(&grown)
	return op
}

// otherMethod stands for every method that HTTP does not have.
const otherMethod = "OTHER"

// knownMethod keeps a client from making up label values.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherMethod
}
