package cluster

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// What may be sent again: of any operation, what surely did not arrive; of one that is idempotent, also what brought no usable answer.
var (
	notSent  = []string{"connect-failure", "refused-stream"}
	noAnswer = []string{"connect-failure", "gateway-error", "refused-stream", "reset-before-request"}
)

// expected is how the mesh must treat the requests for an operation.
type expected struct {
	op       *spec.Operation
	caller   string // empty for the gateway
	declared spec.Position
	timeout  time.Duration
	attempts int // after the first
	perTry   time.Duration
}

// routes checks how requests to a service are sent, by caller and operation.
func (c *checks) routes(s *spec.Service) {
	for _, caller := range c.model.Callers(s.Name) {
		call := caller.Calls[s.Name]
		for _, id := range call.Operations {
			if op := s.Contract.Operations[id]; op != nil {
				c.routed(s, expected{op, caller.Name, caller.At("calls." + s.Name), call.Timeout, call.Retry.Attempts - 1, call.Retry.PerTry})
			}
		}
	}
	for _, id := range s.Ingress {
		if op := s.Contract.Operations[id]; op != nil {
			timeout := cmp.Or(op.Timeout, s.HTTP.Timeout)
			c.routed(s, expected{op, "", s.At("ingress"), timeout, 1, 0})
		}
	}
}

// routed finds the route that the mesh takes for an operation, as it would: the first that matches.
func (c *checks) routed(s *spec.Service, want expected) {
	from := want.caller
	if from == "" {
		from = "outside"
	}
	found, byHeader := false, false
	canary := s.Traffic.Canary
	each(c, func(o *object.Object, v *networking.VirtualService) {
		if !c.serves(s, v, want.caller == "") {
			return
		}
		for i, r := range v.Http {
			if found || !c.matches(s, r, want, nil) {
				if !found && canary != nil && canary.Header != nil && c.matches(s, r, want, canary.Header) && goesTo(r, canary.Version) {
					byHeader = true
				}
				continue
			}
			found = true
			if r.Name == "undeclared" {
				c.add(o.At("spec", "http", i), "no route to %s is for %s of %s: it gets the one for what is not declared", s.Name, want.op.ID, from)
				return
			}
			c.treated(s, o, r, want, i)
		}
	})
	if !found {
		c.add(want.declared, "there is no route to %s for %s of %s", s.Name, want.op.ID, from)
	}
	if canary != nil && canary.Header != nil && !byHeader {
		c.add(s.At("traffic.canary"), "no route to %s leads %s of %s to the canary by its header", s.Name, want.op.ID, from)
	}
}

// serves reports whether a VirtualService holds for requests to the service, from the gateway or from other services.
func (c *checks) serves(s *spec.Service, v *networking.VirtualService, gateway bool) bool {
	if gateway {
		return slices.ContainsFunc(v.Gateways, func(g string) bool { return g != "mesh" }) &&
			slices.ContainsFunc(v.Http, func(r *networking.HTTPRoute) bool {
				return len(r.Route) > 0 && r.Route[0].GetDestination().GetHost() == c.serviceHost(s)
			})
	}
	return slices.Contains(v.Hosts, c.serviceHost(s)) && (len(v.Gateways) == 0 || slices.Contains(v.Gateways, "mesh"))
}

// matches reports whether a route is taken for the operation, by a request with the header or with none.
func (c *checks) matches(s *spec.Service, r *networking.HTTPRoute, want expected, header *spec.Header) bool {
	if len(r.Match) == 0 {
		return true
	}
	path := parameter.ReplaceAllLiteralString(want.op.Path, "a-1")
	return slices.ContainsFunc(r.Match, func(m *networking.HTTPMatchRequest) bool {
		headers := len(m.Headers) == 0
		if header != nil {
			headers = len(m.Headers) == 1 && m.Headers[header.Name] != nil && m.Headers[header.Name].GetExact() == header.Value
		}
		labels := map[string]string{"app": want.caller}
		return headers && says(m.Method, want.op.Method) && says(m.Uri, path) && holds(labels, m.SourceLabels) && (m.Port == 0 || int(m.Port) == s.HTTP.Port)
	})
}

// says reports whether a match lets a text pass; a regular expression must match it whole.
func says(m *networking.StringMatch, text string) bool {
	switch kind := m.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return kind.Exact == text
	case *networking.StringMatch_Prefix:
		return strings.HasPrefix(text, kind.Prefix)
	case *networking.StringMatch_Regex:
		whole, err := regexp.Compile(`^(?:` + kind.Regex + `)$`)
		return err == nil && whole.MatchString(text)
	}
	return true
}

func goesTo(r *networking.HTTPRoute, subset string) bool {
	return len(r.Route) == 1 && r.Route[0].GetDestination().GetSubset() == subset
}

// treated checks the time, the retries and the shares of a route.
func (c *checks) treated(s *spec.Service, o *object.Object, r *networking.HTTPRoute, want expected, i int) {
	at := func(path ...any) spec.Position { return o.At(append([]any{"spec", "http", i}, path...)...) }
	if got := r.Timeout.AsDuration(); got != want.timeout {
		c.add(at("timeout"), "%s may take %s by the route %s, but %s is declared", want.op.ID, got, r.Name, want.timeout)
	}
	attempts, on := int(r.GetRetries().GetAttempts()), strings.Split(r.GetRetries().GetRetryOn(), ",")
	slices.Sort(on)
	switch {
	case attempts != want.attempts:
		c.add(at("retries"), "%s is sent again %d times by the route %s, but %d is declared", want.op.ID, attempts, r.Name, want.attempts)
	case attempts == 0:
	case want.op.Idempotent() && !slices.Equal(on, noAnswer):
		c.add(at("retries", "retryOn"), "%s is idempotent, so it is to be sent again on %s", want.op.ID, strings.Join(noAnswer, ","))
	case !want.op.Idempotent() && !slices.Equal(on, notSent):
		c.add(at("retries", "retryOn"), "%s is not idempotent (%s): it may be sent again on %s only, or it may be done twice", want.op.ID, want.op.Method, strings.Join(notSent, ","))
	case want.op.Idempotent() && want.perTry > 0 && r.Retries.PerTryTimeout.AsDuration() != want.perTry:
		c.add(at("retries", "perTryTimeout"), "an attempt at %s has %s by the route %s, but %s is declared", want.op.ID, r.Retries.PerTryTimeout.AsDuration(), r.Name, want.perTry)
	}
	c.shares(s, o, r, at)
	c.copies(s, r, want.op, at)
}

// copies checks that the canary gets copies of what is only read, as many as declared.
func (c *checks) copies(s *spec.Service, r *networking.HTTPRoute, op *spec.Operation, at func(...any) spec.Position) {
	share, wanted := 0.0, 0.0
	if r.Mirror != nil {
		share = 100
	}
	for _, m := range r.Mirrors {
		share = 100
		if m.Percentage != nil {
			share = m.Percentage.Value
		}
	}
	if canary := s.Traffic.Canary; canary != nil && op.Safe() {
		wanted = float64(canary.Mirror)
	}
	switch {
	case share > 0 && !op.Safe():
		c.add(at("mirrors"), "%s would be done twice: the canary gets copies of it by the route %s", op.ID, r.Name)
	case share != wanted:
		c.add(at("mirrors"), "the canary gets a copy of %g %% of %s by the route %s, but traffic.canary.mirror is %g", share, op.ID, r.Name, wanted)
	}
}

// shares checks where a route leads: to the service itself, and to its canary the declared share.
func (c *checks) shares(s *spec.Service, o *object.Object, r *networking.HTTPRoute, at func(...any) spec.Position) {
	share := int32(0)
	for j, d := range r.Route {
		if host := d.GetDestination().GetHost(); host != c.serviceHost(s) {
			c.add(at("route", j, "destination", "host"), "the route %s of the %s leads to %s", r.Name, o, host)
		}
		if canary := s.Traffic.Canary; canary != nil && d.GetDestination().GetSubset() == canary.Version {
			share += d.Weight
			if len(r.Route) == 1 {
				share += 100
			}
		}
	}
	if canary := s.Traffic.Canary; canary != nil && int(share) != canary.Weight {
		c.add(at("route"), "the canary gets %d %% by the route %s, but traffic.canary.weight is %d", share, r.Name, canary.Weight)
	}
}

// connections checks how connections to the service are made.
func (c *checks) connections(s *spec.Service) {
	ns := c.model.Platform.Namespace
	found := false
	each(c, func(o *object.Object, r *networking.DestinationRule) {
		if r.Host != c.serviceHost(s) || o.Namespace != ns {
			return
		}
		found = true
		policy := r.GetTrafficPolicy()
		if policy.GetTls().GetMode() != networking.ClientTLSSettings_ISTIO_MUTUAL {
			c.add(o.At("spec", "trafficPolicy", "tls"), "connections to %s do not show who they are from: tls.mode must be ISTIO_MUTUAL", s.Name)
		}
		out, want := policy.GetOutlierDetection(), s.Traffic.Outlier
		if int(out.GetConsecutive_5XxErrors().GetValue()) != want.Consecutive5xx || out.GetInterval().AsDuration() != want.Interval ||
			out.GetBaseEjectionTime().AsDuration() != want.Ejection || int(out.GetMaxEjectionPercent()) != want.MaxEjected {
			c.add(o.At("spec", "trafficPolicy", "outlierDetection"), "replicas of %s that fail are not put aside as traffic.outlier says", s.Name)
		}
		pool, limit := policy.GetConnectionPool(), s.Traffic.Pool
		if int(pool.GetTcp().GetMaxConnections()) != limit.Connections || int(pool.GetHttp().GetHttp1MaxPendingRequests()) != limit.Pending ||
			int(pool.GetHttp().GetHttp2MaxRequests()) != limit.Requests {
			c.add(o.At("spec", "trafficPolicy", "connectionPool"), "connections to %s are not bounded as traffic.pool says", s.Name)
		}
		c.exported(s, o, r)
	})
	if !found {
		c.add(s.At("name"), "there is no DestinationRule of %s", s.Name)
	}
}

// exported checks that those who send requests to the service know how.
func (c *checks) exported(s *spec.Service, o *object.Object, r *networking.DestinationRule) {
	to := []string{"."}
	if len(s.Ingress) > 0 || c.model.Issuer() == s {
		to = append(to, gatewayNamespace)
	}
	for _, ns := range to {
		if len(r.ExportTo) > 0 && !slices.Contains(r.ExportTo, ns) {
			c.add(o.At("spec", "exportTo"), "the %s is not for %s, from where requests come", o, ns)
		}
	}
}
