package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ParseContract reads the operations of an OpenAPI document and checks what the platform asks of it beyond OpenAPI: version
// 3.0, an operationId for each operation, unique and fit for Go, and no reference out of the document. Whether it is valid
// OpenAPI is left to Contract.Doc. The error is of type Problems.
func ParseContract(file string, raw []byte) (*Contract, error) {
	c, problems := parseContract(file, raw)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func parseContract(file string, raw []byte) (*Contract, Problems) {
	root, problems := parseDocument(file, raw, maxContract, "write an OpenAPI 3.0.3 document: openapi, info and paths")
	if len(problems) > 0 {
		return nil, problems
	}
	w := &contractWalk{contract: &Contract{Path: file, Raw: raw, Operations: map[string]*Operation{}}, ids: map[string]*Operation{}}
	w.version(root)
	if len(w.problems) == 0 {
		w.references(root, root)
		w.schemes = w.securitySchemes(root)
		_, security := lookup(root, "security")
		w.standard = w.security(security)
		w.paths(root)
	}
	return w.contract, w.problems
}

type contractWalk struct {
	contract *Contract
	problems Problems
	schemes  map[string][]string   // the scopes of each security scheme, sorted; nil where any is allowed
	standard [][]string            // the security of operations that name none
	ids      map[string]*Operation // by operationId in lower case: on some disks, files differ by more than case only
}

func (w *contractWalk) add(n *yaml.Node, remedy, format string, args ...any) {
	w.problems.Add(place(w.contract.Path, n), remedy, format, args...)
}

func (w *contractWalk) version(root *yaml.Node) {
	_, n := lookup(root, "openapi")
	switch {
	case n == nil:
		w.add(root, "add the line openapi: 3.0.3", "this is no OpenAPI document: openapi is missing")
	case !strings.HasPrefix(n.Value, "3.0."):
		w.add(n, "write openapi: 3.0.3", "OpenAPI %s is not supported", clip(n.Value))
	}
}

// references refuses references that leave the document or lead nowhere in it, and keys that stand twice, below n.
func (w *contractWalk) references(root, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			w.references(root, child)
		}
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == "$ref" && value.Kind == yaml.ScalarNode {
			w.reference(root, value)
		}
		if line, twice := seen[key.Value]; twice {
			w.add(key, "remove one of the two", "the key %q stands twice: first on line %d", clip(key.Value), line)
		}
		seen[key.Value] = key.Line
		w.references(root, value)
	}
}

func (w *contractWalk) reference(root, n *yaml.Node) {
	pointer, inside := strings.CutPrefix(n.Value, "#/")
	if !inside {
		w.add(n, "copy what it names into components and write #/components/…", "the reference %q leaves the document", clip(n.Value))
		return
	}
	target := root
	for part := range strings.SplitSeq(pointer, "/") {
		_, next := lookup(target, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		if next == nil {
			var known []string
			for i := 0; i < len(target.Content); i += 2 {
				known = append(known, target.Content[i].Value)
			}
			w.add(n, DidYouMean(part, "there is", known), "the reference %q leads nowhere: there is no %s", clip(n.Value), clip(part))
			return
		}
		target = next
	}
}

func (w *contractWalk) paths(root *yaml.Node) {
	_, paths := lookup(root, "paths")
	switch {
	case paths == nil:
		w.add(root, "add paths: {} at the least", "paths is missing")
	case paths.Kind != yaml.MappingNode:
		w.add(paths, "write one path a key", "paths must hold keys and values, not %s", describe(paths))
	default:
		for i := 0; i+1 < len(paths.Content); i += 2 {
			w.path(paths.Content[i], paths.Content[i+1])
		}
	}
}

var (
	methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}
	beside  = []string{"summary", "description", "parameters", "servers"} // what a path has beside methods
)

func (w *contractWalk) path(key, item *yaml.Node) {
	switch {
	case strings.HasPrefix(key.Value, "x-"):
		return
	case !strings.HasPrefix(key.Value, "/"):
		w.add(key, "write /"+clip(key.Value), "the path %q does not begin with /", clip(key.Value))
		return
	case item.Kind != yaml.MappingNode:
		w.add(item, "write the methods below it: get, post, …", "the path %s must hold keys and values, not %s", clip(key.Value), describe(item))
		return
	}
	w.segments(key)
	for i := 0; i+1 < len(item.Content); i += 2 {
		method, operation := item.Content[i], item.Content[i+1]
		switch {
		case slices.Contains(methods, method.Value):
			w.operation(key.Value, method, operation)
		case method.Value == "$ref":
			w.add(method, "write the path's methods out here", "a path cannot be a reference")
		case !slices.Contains(beside, method.Value) && !strings.HasPrefix(method.Value, "x-"):
			w.add(method, DidYouMean(method.Value, "the keys here are", slices.Concat(methods, beside)), "unknown key %q in the path %s", clip(method.Value), clip(key.Value))
		}
	}
}

// segment is a part of a path that the router and the mesh's rules can tell exactly: a parameter is the whole of it.
var segment = whole(`(\{[^{}/]+\}|[A-Za-z0-9._~!$&'()+,;=@-]*)`)

func (w *contractWalk) segments(path *yaml.Node) {
	for part := range strings.SplitSeq(strings.TrimPrefix(path.Value, "/"), "/") {
		if !segment.MatchString(part) {
			w.add(path, "make a parameter a whole part between slashes, and the rest of plain letters and digits: /files/{name}/text", "the part %q of the path %s cannot be told apart from others by the mesh", clip(part), clip(path.Value))
		}
	}
}

// security reads a list of requirements: none where one of them asks for nothing.
func (w *contractWalk) security(n *yaml.Node) [][]string {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		w.add(n, "write a list, such as: [{token: [orders:read]}]", "security must hold a list, not %s", describe(n))
		return nil
	}
	var ways [][]string
	public := false
	for _, requirement := range n.Content {
		scopes, problem := requiredScopes(requirement)
		if problem != nil {
			w.add(problem, "write the scheme's name and a list of scopes, such as: {token: [orders:read]}", "a requirement of security must hold lists of scopes by scheme, not %s", describe(problem))
		} else {
			w.defined(requirement)
		}
		public = public || requirement.Kind == yaml.MappingNode && len(requirement.Content) == 0
		ways = append(ways, scopes)
	}
	if public {
		return nil
	}
	return ways
}

// requiredScopes are those of all schemes of a requirement, sorted, or else the node that is no such thing.
func requiredScopes(requirement *yaml.Node) ([]string, *yaml.Node) {
	if requirement.Kind != yaml.MappingNode {
		return nil, requirement
	}
	scopes := []string{}
	for i := 0; i+1 < len(requirement.Content); i += 2 {
		list := requirement.Content[i+1]
		if list.Kind != yaml.SequenceNode {
			return nil, list
		}
		for _, scope := range list.Content {
			if !scopePattern.MatchString(scope.Value) {
				return nil, scope
			}
			scopes = append(scopes, scope.Value)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// securitySchemes are those of the document, each with the scopes that it defines: only OAuth2 has a list of them.
func (w *contractWalk) securitySchemes(root *yaml.Node) map[string][]string {
	_, components := lookup(root, "components")
	if components == nil {
		return nil
	}
	_, schemes := lookup(components, "securitySchemes")
	if schemes == nil || schemes.Kind != yaml.MappingNode {
		return nil
	}
	all := map[string][]string{}
	for i := 0; i+1 < len(schemes.Content); i += 2 {
		name, scheme := schemes.Content[i].Value, schemes.Content[i+1]
		all[name] = nil
		if _, kind := lookup(scheme, "type"); kind == nil || kind.Value != "oauth2" {
			continue
		}
		all[name] = []string{}
		_, flows := lookup(scheme, "flows")
		for j := 1; flows != nil && flows.Kind == yaml.MappingNode && j < len(flows.Content); j += 2 {
			_, scopes := lookup(flows.Content[j], "scopes")
			for k := 0; scopes != nil && scopes.Kind == yaml.MappingNode && k < len(scopes.Content); k += 2 {
				all[name] = append(all[name], scopes.Content[k].Value)
			}
		}
		slices.Sort(all[name])
		all[name] = slices.Compact(all[name])
	}
	return all
}

// defined checks that a requirement names schemes and scopes that the document defines: nobody ever gets a token with others.
func (w *contractWalk) defined(requirement *yaml.Node) {
	for i := 0; i+1 < len(requirement.Content); i += 2 {
		name := requirement.Content[i]
		known, ok := w.schemes[name.Value]
		if !ok {
			w.add(name, DidYouMean(name.Value, "components.securitySchemes has", slices.Collect(maps.Keys(w.schemes))), "there is no security scheme %s", clip(name.Value))
			continue
		}
		for _, scope := range requirement.Content[i+1].Content {
			if known != nil && !slices.Contains(known, scope.Value) {
				w.add(scope, DidYouMean(scope.Value, "it defines", known), "the security scheme %s defines no scope %s", clip(name.Value), clip(scope.Value))
			}
		}
	}
}

// scopePattern is a scope token (RFC 6749, section 3.3) without what is a wildcard to the mesh.
var scopePattern = whole(`[A-Za-z0-9!#$%&'()+,./:;<=>?@^_{|}~-]+`)

func (w *contractWalk) operation(path string, method, operation *yaml.Node) {
	name := fmt.Sprintf("%s %s", strings.ToUpper(method.Value), clip(path))
	if operation.Kind != yaml.MappingNode {
		w.add(operation, "write operationId and responses below it", "%s must hold keys and values, not %s", name, describe(operation))
		return
	}
	_, id := lookup(operation, "operationId")
	if id == nil {
		w.add(method, "add one, such as operationId: "+suggestID(method.Value, path), "%s has no operationId", name)
		return
	}
	if f := (rules{is: "operation"}).text(id.Value); f != nil || id.Kind != yaml.ScalarNode {
		if f == nil {
			f = &fault{"must be a single word", kinds["operation"].form}
		}
		w.add(id, f.remedy, "the operationId of %s %s", name, f.message)
		return
	}
	if other, taken := w.ids[strings.ToLower(id.Value)]; taken {
		w.add(id, "give each operation an id of its own", "the operationId %s is taken: %s %s has %s on line %d", id.Value, other.Method, other.Path, other.ID, other.Position.Line)
		return
	}
	o := &Operation{ID: id.Value, Method: strings.ToUpper(method.Value), Path: path, Position: place(w.contract.Path, id), contract: w.contract}
	o.Security = w.standard
	if _, security := lookup(operation, "security"); security != nil {
		o.Security = w.security(security)
	}
	o.Timeout = w.timeout(name, operation)
	w.ids[strings.ToLower(o.ID)] = o
	w.contract.Operations[o.ID] = o
}

// timeout is the extension x-timeout, which the chassis and the mesh keep to.
func (w *contractWalk) timeout(operation string, node *yaml.Node) time.Duration {
	_, value := lookup(node, "x-timeout")
	if value == nil {
		return 0
	}
	timeout, err := time.ParseDuration(value.Value)
	if err != nil || timeout < time.Millisecond {
		w.add(value, "write a duration of 1ms or more, such as 90s or 30m", "the x-timeout of %s is no time that a request may take", operation)
		return 0
	}
	return timeout
}

// suggestID makes an operationId from the method and the last fixed part of the path.
func suggestID(method, path string) string {
	noun := ""
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && !strings.HasPrefix(part, "{") {
			noun = part
		}
	}
	return method + GoName(noun)
}

// GoName makes an exported Go name of a service's, an operation's or an event type's name: order-items gives OrderItems.
func GoName(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '.' || r == '_' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// lookup gives the key's node and its value's in a mapping, or nils.
func lookup(mapping *yaml.Node, key string) (*yaml.Node, *yaml.Node) {
	if mapping.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Value == key {
				return mapping.Content[i], mapping.Content[i+1]
			}
		}
	}
	return nil, nil
}
