package lint

import (
	"slices"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// calls checks the synchronous calls of a service: that they name what exists, and that their times add up.
func (c *checks) calls(s *spec.Service) {
	for _, name := range s.Callees() {
		around := "calls." + name
		callee := c.model.Service(name)
		switch {
		case name == s.Name:
			c.problems.Add(s.At(around), "call the function itself, without the network", "%s calls itself", s.Name)
		case callee == nil:
			c.problems.Add(s.At(around), spec.DidYouMean(name, "the services are", c.others(s)), "%s calls %s, but there is no such service", s.Name, name)
		default:
			c.operations(s, callee, around)
		}
		c.times(s, name, around)
	}
}

func (c *checks) others(s *spec.Service) []string {
	var names []string
	for _, other := range c.model.Services {
		if other != s {
			names = append(names, other.Name)
		}
	}
	return names
}

func (c *checks) operations(s, callee *spec.Service, around string) {
	for i, id := range s.Calls[callee.Name].Operations {
		if callee.Contract.Operations[id] == nil {
			c.problems.Add(s.At(item(around+".operations", i)), spec.DidYouMean(id, "its operations are", operationIDs(callee.Contract)), "%s has no operation %s", callee.Name, id)
		}
	}
}

// times checks that a call's attempts fit into its timeout, and its timeout into the caller's own deadline.
func (c *checks) times(s *spec.Service, name, around string) {
	call := s.Calls[name]
	if need := time.Duration(call.Retry.Attempts) * call.Retry.PerTry; need > call.Timeout {
		at := firstGiven(s, around, "timeout", "retry.perTry", "retry.attempts")
		c.problems.Add(at, "raise timeout to "+short(need)+" or lower retry.perTry to "+short((call.Timeout/time.Duration(call.Retry.Attempts)).Truncate(time.Millisecond)),
			"the call to %s has %s in all, but its %d attempts of %s each need %s", name, short(call.Timeout), call.Retry.Attempts, short(call.Retry.PerTry), short(need))
	}
	if call.Timeout >= s.HTTP.Timeout {
		at := firstGiven(s, around, "timeout")
		c.problems.Add(at, "lower the call's timeout, or raise http.timeout above it",
			"the call to %s may take %s, but %s itself must have answered after %s", name, short(call.Timeout), s.Name, short(s.HTTP.Timeout))
	}
}

// short writes a duration without the zeros that time.Duration puts behind: 1m, not 1m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// cycles refuses services that wait for each other: one slow answer would then hold up all of them, and none can be
// deployed first. One problem tells one shortest circle of each group of services that reach each other.
func (c *checks) cycles() {
	for _, group := range c.groups() {
		circle := c.circle(group)
		s := c.model.Service(circle[0])
		c.problems.Add(s.At("calls."+circle[1]), "break it: let one of these calls become an event that is consumed", "synchronous calls run in a circle: %s", strings.Join(circle, " → "))
	}
}

// groups gives the strongly connected services, by Tarjan's algorithm (Tarjan 1972), as sorted names; single ones are left
// out.
func (c *checks) groups() [][]string {
	t := &tarjan{model: c.model, number: map[string]int{}, low: map[string]int{}, open: map[string]bool{}}
	for _, s := range c.model.Services {
		if t.number[s.Name] == 0 {
			t.visit(s)
		}
	}
	return t.groups
}

type tarjan struct {
	model  *spec.Model
	number map[string]int // in the order of visits, from 1
	low    map[string]int // the least number that can be reached
	stack  []string
	open   map[string]bool // what is on the stack
	groups [][]string
}

func (t *tarjan) visit(s *spec.Service) {
	t.number[s.Name] = len(t.number) + 1
	t.low[s.Name] = t.number[s.Name]
	t.stack, t.open[s.Name] = append(t.stack, s.Name), true
	for _, callee := range t.model.Callees(s.Name) {
		if t.number[callee.Name] == 0 {
			t.visit(callee)
			t.low[s.Name] = min(t.low[s.Name], t.low[callee.Name])
		} else if t.open[callee.Name] {
			t.low[s.Name] = min(t.low[s.Name], t.number[callee.Name])
		}
	}
	if t.low[s.Name] < t.number[s.Name] {
		return
	}
	from := slices.Index(t.stack, s.Name)
	group := slices.Sorted(slices.Values(t.stack[from:]))
	t.stack = t.stack[:from]
	for _, name := range group {
		t.open[name] = false
	}
	if len(group) > 1 {
		t.groups = append(t.groups, group)
	}
}

// circle gives a shortest way from the first service of the group back to it.
func (c *checks) circle(group []string) []string {
	start := group[0]
	reachedFrom := map[string]string{}
	queue := []string{start}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, callee := range c.model.Callees(name) {
			if callee.Name == start && name != start {
				circle := []string{start}
				for ; name != start; name = reachedFrom[name] {
					circle = append(circle, name)
				}
				slices.Reverse(circle)
				return append([]string{start}, circle...)
			}
			if _, seen := reachedFrom[callee.Name]; !seen && callee.Name != start {
				reachedFrom[callee.Name] = name
				queue = append(queue, callee.Name)
			}
		}
	}
	return append(slices.Clone(group), start) // never: in a group, there is a way back
}
