package lint

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// adminPort is where every service serves metrics, health and pprof.
const adminPort = 9090

// workload checks what a service says about its own running.
func (c *checks) workload(s *spec.Service) {
	if s.HTTP.Port == adminPort {
		c.problems.Add(s.At("http.port"), "choose another, or remove the line for the default, 8080", "http.port is %d, which is the admin port of every service", adminPort)
	}
	if r := s.Run.Replicas; r.Min > r.Max {
		c.problems.Add(s.At("run.replicas"), "raise max or lower min", "run.replicas.min is %d, above max, which is %d", r.Min, r.Max)
	}
	if q := s.Run.CPU; !q.Fits() {
		c.problems.Add(s.At("run.cpu"), "raise limit or lower request", "run.cpu.request is %s, above limit, which is %s", q.Request, q.Limit)
	}
	if q := s.Run.Memory; !q.Fits() {
		c.problems.Add(s.At("run.memory"), "raise limit or lower request", "run.memory.request is %s, above limit, which is %s", q.Request, q.Limit)
	}
}

// databases checks that shards are databases, several, and of names that no other service has.
func (c *checks) databases(s *spec.Service) {
	shards := s.Database.Shards
	if len(shards) == 0 {
		return
	}
	if s.Database.Kind != "postgres" {
		c.problems.Add(s.At("database.shards"), "set database.kind to postgres, or remove database.shards", "%s has shards, but no database", s.Name)
	}
	if len(shards) == 1 {
		c.problems.Add(s.At("database.shards"), "name another, or remove database.shards", "%s has one shard, over which nothing can be spread", s.Name)
	}
	for i, shard := range shards {
		name := s.Name + "-" + shard
		for _, other := range c.model.Services {
			if other != s && (other.Name == name || slices.Contains(other.Databases(), name)) {
				c.problems.Add(s.At(item("database.shards", i)), "give the shard another name", "the shard %s has the database %s, a name that belongs to %s", shard, name, other.Name)
			}
		}
	}
}

// ingress checks that what is reached from outside exists.
func (c *checks) ingress(s *spec.Service) {
	for i, id := range s.Ingress {
		if s.Contract.Operations[id] == nil {
			c.problems.Add(s.At(item("ingress", i)), spec.DidYouMean(id, "its operations are", operationIDs(s.Contract)), "%s has no operation %s", s.Name, id)
		}
	}
}

// events checks that consumed events are published, that published ones have a schema, and that Go can tell them apart.
func (c *checks) events(s *spec.Service) {
	for i, t := range s.Events.Publishes {
		if c.model.Events[t] == nil {
			c.problems.Add(s.At(item("events.publishes", i)), "write its JSON Schema to "+spec.EventsDir+"/"+t+".json", "the event %s has no schema", t)
		}
	}
	for i, t := range s.Events.Consumes {
		if len(c.model.Publishers(t)) == 0 {
			c.problems.Add(s.At(item("events.consumes", i)), c.publish(t), "no service publishes the event %s", t)
		}
	}
	named := map[string]string{}
	for _, list := range []struct {
		path  string
		types []string
	}{{"events.publishes", s.Events.Publishes}, {"events.consumes", s.Events.Consumes}} {
		for i, t := range list.types {
			name := spec.GoName(t)
			if other := named[name]; other != "" && other != t {
				c.problems.Add(s.At(item(list.path, i)), "rename one of the two", "the events %s and %s give the same Go name, %s", other, t, name)
			}
			named[name] = t
		}
	}
}

// publish is the remedy for an event that no service publishes.
func (c *checks) publish(t string) string {
	published := c.published()
	if len(published) == 0 {
		return "declare it under events.publishes of the service that sends it: `scaffold add NAME event publish " + t + "`"
	}
	return spec.DidYouMean(t, "published are", published)
}

// published gives every event type that some service publishes, sorted.
func (c *checks) published() []string {
	types := map[string]bool{}
	for _, s := range c.model.Services {
		for _, t := range s.Events.Publishes {
			types[t] = true
		}
	}
	return slices.Sorted(maps.Keys(types))
}

func operationIDs(c *spec.Contract) []string { return slices.Sorted(maps.Keys(c.Operations)) }

// item is the path of an item of a list.
func item(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// firstGiven gives the place of the first of the paths that stands in the file, else that of the field around them.
func firstGiven(s *spec.Service, around string, paths ...string) spec.Position {
	for _, path := range paths {
		if at, ok := s.Positions[strings.Join([]string{around, path}, ".")]; ok {
			return at
		}
	}
	return s.At(around)
}
