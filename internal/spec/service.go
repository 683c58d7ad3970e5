package spec

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseService reads the text of one service.yaml, named file in its problems, and fills in the defaults. Dir is the
// file's folder. The error is of type Problems.
func ParseService(file string, raw []byte) (*Service, error) {
	s, problems := parseService(file, raw)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func parseService(file string, raw []byte) (*Service, Problems) {
	root, problems := parseDocument(file, raw, maxDeclaration, "three lines make a service:\nname: "+exampleName(file)+"\nowner: the team that answers for it\nsummary: what it is for, in a sentence")
	if len(problems) > 0 {
		return nil, problems
	}
	s := &Service{Dir: path.Dir(file)}
	s.Positions, problems = decode(file, root, s)
	if len(problems) > 0 {
		return nil, problems
	}
	s.fillDefaults()
	return s, nil
}

// exampleName is the name that a service.yaml ought to have by its folder.
func exampleName(file string) string {
	if name := slug(path.Base(path.Dir(file))); name != "" {
		return name
	}
	return "orders"
}

// fillDefaults sets the defaults that depend on other fields.
func (s *Service) fillDefaults() {
	if s.Summary == "" {
		s.Summary = "The " + s.Name + " service."
	}
	for _, call := range s.Calls {
		if call.Retry.PerTry == 0 {
			call.Retry.PerTry = call.Timeout / time.Duration(call.Retry.Attempts)
			if call.Retry.PerTry > time.Millisecond {
				call.Retry.PerTry = call.Retry.PerTry.Truncate(time.Millisecond)
			}
		}
	}
}

// Databases are the names of the service's own databases: the one of its name, and one for each of its shards.
func (s *Service) Databases() []string {
	if s.Database.Kind != "postgres" {
		return nil
	}
	all := []string{s.Name}
	for _, shard := range s.Database.Shards {
		all = append(all, s.Name+"-"+shard)
	}
	return all
}

// At gives the position of the field at path, such as "calls.inventory.timeout" or "events.consumes[0]", or of the nearest
// field around it that stands in the file.
func (s *Service) At(path string) Position {
	for {
		if at, ok := s.Positions[path]; ok || path == "" {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// Where platform.yaml names none, the service of this name issues tokens, if it has this operation.
const (
	defaultIssuer = "users"
	issueToken    = "issueToken"
)

// Issuer is the service that issues the tokens of requests from outside, or nil.
func (m *Model) Issuer() *Service {
	if name := m.Platform.Auth.Service; name != "" {
		return m.Service(name)
	}
	if s := m.Service(defaultIssuer); s != nil && s.Contract != nil && s.Contract.Operations[issueToken] != nil {
		return s
	}
	return nil
}

// Scopes are all that the contracts of the services name, sorted.
func (m *Model) Scopes() []string {
	var all []string
	for _, s := range m.Services {
		if s.Contract == nil {
			continue
		}
		for _, o := range s.Contract.Operations {
			all = append(all, slices.Concat(o.Security...)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Service returns the service of that name, or nil.
func (m *Model) Service(name string) *Service {
	i, found := slices.BinarySearchFunc(m.Services, name, func(s *Service, name string) int { return strings.Compare(s.Name, name) })
	if !found {
		return nil
	}
	return m.Services[i]
}

// NextVersion is the version after another one: v2 after v1.
func NextVersion(version string) string {
	i := len(strings.TrimRight(version, "0123456789"))
	n, err := strconv.Atoi(version[i:])
	if err != nil {
		return version + "-2"
	}
	return version[:i] + strconv.Itoa(n+1)
}
