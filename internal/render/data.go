package render

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/trellis-mesh/trellis/internal/render/dashboard"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// view is what a template sees: the service, and for a file that is made for each of several things, the thing.
type view struct {
	*service
	Item any
	// Path is the file's own, relative to the platform's root.
	Path string

	entry *entry
	cache Cache
	// extra are import paths by package name that only this file needs.
	extra map[string]string
}

// service is one service as templates see it. What needs the parsed contract is behind methods, so that a run in which
// nothing changed parses none.
type service struct {
	Module   string
	Platform *spec.Platform
	*spec.Service
	Resource   resource
	Operations []operation
	Callees    []callee
	Publishes  []eventType
	Consumes   []eventType

	r      *Renderer
	model  *spec.Model
	inputs Inputs
	// Declaration is the text of service.yaml, for Seeds only.
	Declaration string
	shaped      func() (*shape, error)
}

// operation is one operation of the service's own contract.
type operation struct {
	ID     string // createOrder
	Go     string // CreateOrder
	Method string
	Path   string
	File   string // create_order
	// Kind is create, get or list for the operations on the resource that Seeds declares; else empty.
	Kind string
}

// callee is a declared call and the service it goes to.
type callee struct {
	*spec.Call
	Name       string // bff-web
	Go         string // BffWeb
	Package    string // bffwebapi, the import name of its api package
	Import     string // the import path of its api package
	URL        string // inside the cluster
	Port       int
	EnvURL     string // APP_CALLS_BFF_WEB_URL
	Operations []*spec.Operation

	service *spec.Service
}

// Degrade reports whether a failed call degrades the answer and does not fail it.
func (c callee) Degrade() bool { return c.OnFailure == "degrade" }

// eventType is a published or consumed event.
type eventType struct {
	Type string // order.created.v1
	Go   string // OrderCreatedV1
	File string // order_created_v1
	// Schema is nil where there is none; Seeds gives one to a published event.
	Schema *spec.Event
}

func (r *Renderer) newService(m *spec.Model, s *spec.Service, in Inputs) (*service, error) {
	d := &service{Module: m.Module, Platform: m.Platform, Service: s, r: r, model: m, inputs: in}
	var err error
	if d.Resource, err = newResource(s.Name, in.Resource); err != nil {
		return nil, err
	}
	d.Operations = d.ownOperations()
	for _, name := range s.Callees() {
		c, err := d.newCallee(name)
		if err != nil {
			return nil, err
		}
		d.Callees = append(d.Callees, c)
	}
	for _, t := range s.Events.Publishes {
		d.Publishes = append(d.Publishes, newEventType(m, t))
	}
	for _, t := range s.Events.Consumes {
		d.Consumes = append(d.Consumes, newEventType(m, t))
	}
	d.shaped = sync.OnceValues(d.findShape)
	return d, nil
}

// ownOperations lists the contract's operations by id.
func (d *service) ownOperations() []operation {
	if d.Contract == nil {
		return nil
	}
	var ops []operation
	for id, op := range d.Contract.Operations {
		ops = append(ops, operation{
			ID: id, Go: goName(id), Method: op.Method, Path: op.Path,
			File: goFile(id, "handler", "clients", d.Resource.File), Kind: d.kind(op),
		})
	}
	slices.SortFunc(ops, func(a, b operation) int { return strings.Compare(a.ID, b.ID) })
	return ops
}

func (d *service) kind(op *spec.Operation) string {
	switch name := goName(op.ID); {
	case name == "Create"+d.Resource.Operation && op.Method == "POST":
		return "create"
	case name == "Get"+d.Resource.Operation && op.Method == "GET":
		return "get"
	case name == "List"+d.Resource.Plural.Go && op.Method == "GET":
		return "list"
	}
	return ""
}

// Operation gives the operation of a kind; its ID is empty when there is none.
func (d *service) Operation(kind string) operation {
	for _, op := range d.Operations {
		if op.Kind == kind {
			return op
		}
	}
	return operation{}
}

// PathPrefix is the path before its first parameter.
func (o operation) PathPrefix() string {
	prefix, _, _ := strings.Cut(o.Path, "{")
	return prefix
}

func (d *service) newCallee(name string) (callee, error) {
	s := d.model.Service(name)
	if s == nil || s.Contract == nil {
		return callee{}, fmt.Errorf("services/%s/service.yaml: calls.%s: there is no such service", d.Name, name)
	}
	c := callee{
		Call: d.Calls[name], Name: name, Go: goName(name), service: s,
		Package: strings.ReplaceAll(name, "-", "") + "api",
		Import:  d.Module + "/" + s.Dir + "/api",
		URL:     fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", name, d.Platform.Namespace, s.HTTP.Port),
		Port:    s.HTTP.Port,
		EnvURL:  "APP_CALLS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_URL",
	}
	if slices.Contains([]string{"Clients", "Deps", "Handler", "New", "Store"}, c.Go) {
		c.Go += "Service"
	}
	for _, id := range slices.Sorted(slices.Values(c.Call.Operations)) {
		op := s.Contract.Operations[id]
		if op == nil {
			return callee{}, fmt.Errorf("services/%s/service.yaml: calls.%s.operations: %s has no operation %s", d.Name, name, name, id)
		}
		c.Operations = append(c.Operations, op)
	}
	return c, nil
}

func newEventType(m *spec.Model, t string) eventType {
	return eventType{Type: t, Go: goName(t), File: goFile(t, "consumer"), Schema: m.Events[t]}
}

// HasDatabase reports whether the service has a database of its own.
func (d *service) HasDatabase() bool { return d.Database.Kind == "postgres" }

// HasCache reports whether the service has a cache of its own.
func (d *service) HasCache() bool { return d.Cache.Kind == "redis" }

// HasFlags reports whether the service follows a file of feature flags.
func (d *service) HasFlags() bool { return d.Flags.Kind == "file" }

// Connects reports whether the service depends on anything that must be opened when it starts.
func (d *service) Connects() bool {
	return d.HasDatabase() || d.HasCache() || len(d.Callees)+len(d.Publishes) > 0
}

// EventTypes are the events that the service publishes or consumes, each once, by type.
func (d *service) EventTypes() []eventType {
	all := slices.Concat(d.Publishes, d.Consumes)
	slices.SortFunc(all, func(a, b eventType) int { return strings.Compare(a.Type, b.Type) })
	return slices.CompactFunc(all, func(a, b eventType) bool { return a.Type == b.Type })
}

// Announced is the one published event that creating the resource announces, or nil; see Inputs.Announces. It may have got
// another version since.
func (d *service) Announced() *eventType {
	if d.inputs.Announces == nil {
		return firstOf(d.Publishes, func(eventType) bool { return true })
	}
	chosen := *d.inputs.Announces
	if e := firstOf(d.Publishes, func(e eventType) bool { return e.Type == chosen }); e != nil {
		return e
	}
	return firstOf(d.Publishes, func(e eventType) bool { return withoutVersion(e.Type) == withoutVersion(chosen) })
}

// TellsOfCreation reports whether the event says that the resource was created.
func (e eventType) TellsOfCreation(r resource) bool {
	return withoutVersion(e.Type) == r.Name+".created"
}

func firstOf(events []eventType, is func(eventType) bool) *eventType {
	if i := slices.IndexFunc(events, is); i >= 0 {
		return &events[i]
	}
	return nil
}

// withoutVersion is an event type without its last part: order.created.
func withoutVersion(eventType string) string {
	return strings.TrimSuffix(eventType, path.Ext(eventType))
}

// Callers are the names of the services that call this one.
func (d *service) Callers() []string {
	var names []string
	for _, s := range d.model.Callers(d.Name) {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// AdminPort is where every service has metrics, health, profiles and faults.
func (d *service) AdminPort() int { return 9090 }

// ExternalPorts are the ports of the declared hosts outside the mesh.
func (d *service) ExternalPorts() []int {
	var ports []int
	for _, e := range d.Externals {
		ports = append(ports, e.Port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// OpenAPI is the Go code that oapi-codegen makes of the contract.
func (d *service) OpenAPI() (string, error) {
	text, err := d.r.openAPI(d.Contract)
	if err != nil {
		return "", &toldError{err}
	}
	return text, nil
}

// Dashboard is the text of the service's dashboard.
func (d *service) Dashboard() (string, error) {
	text, err := dashboard.Service(d.model, d.Service).JSON()
	return string(text), err
}

// ContractFile is the contract's file as package api embeds it.
func (d *service) ContractFile() (string, error) {
	file, ok := strings.CutPrefix(d.HTTP.Contract, "api/")
	if !ok {
		return "", &toldError{fmt.Errorf("%s/service.yaml: http.contract: %s is outside api/, where the service embeds it: move it there", d.Dir, d.HTTP.Contract)}
	}
	return file, nil
}

// packages are the import paths that the service's files may use, by package name.
func (v view) packages() map[string]string {
	packages := maps.Clone(v.extra)
	for _, c := range v.Callees {
		packages[c.Package] = c.Import
	}
	for _, imports := range []map[string]string{v.r.services.Imports, v.entry.Imports} {
		for name, importPath := range imports {
			packages[name] = v.importPath(importPath)
		}
	}
	return packages
}

// importPath completes a manifest's import path: @ stands for the platform's module, a dot for the service's folder.
func (d *service) importPath(p string) string {
	if rest, ok := strings.CutPrefix(p, "@/"); ok {
		return d.Module + "/" + rest
	}
	if rest, ok := strings.CutPrefix(p, "./"); ok {
		return d.Module + "/" + d.Dir + "/" + rest
	}
	return p
}
