package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// wish is what a new service is to be.
type wish struct {
	name, resource, owner, summary, database, cache string

	calls, publish, consume, ingress, externals []string
}

func (w *wish) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.resource, "resource", "", "the noun that its API serves (default: the name without a final s)")
	f.StringVar(&w.owner, "owner", "", "the team that answers for it")
	f.StringVar(&w.summary, "summary", "", "what it is for, in a sentence")
	f.StringVar(&w.database, "database", "", "its database: none or postgres")
	f.StringVar(&w.cache, "cache", "", "its cache: none or redis")
	f.StringArrayVar(&w.calls, "call", nil, "operations it calls, as SERVICE:operation,operation (repeatable)")
	f.StringSliceVar(&w.publish, "publish", nil, "an event type it publishes, such as greeting.created.v1 (repeatable)")
	f.StringSliceVar(&w.consume, "consume", nil, "an event type it consumes (repeatable)")
	f.StringSliceVar(&w.ingress, "ingress", nil, "an operation that can be reached from outside (repeatable)")
	f.StringSliceVar(&w.externals, "external", nil, "a host outside the mesh that it reaches, as HOST or HOST:PORT (repeatable)")
}

// options are the wish in the words of package spec.
func (w *wish) options() (spec.Options, error) {
	o := spec.Options{
		Owner: w.owner, Summary: w.summary, Publishes: w.publish, Consumes: w.consume, Ingress: w.ingress,
		Database: orNone(w.database), Cache: orNone(w.cache),
	}
	for _, text := range w.calls {
		call, err := parseCall(text)
		if err != nil {
			return o, err
		}
		o.Calls = append(o.Calls, call)
	}
	for _, text := range w.externals {
		e, err := parseExternal(text)
		if err != nil {
			return o, err
		}
		o.Externals = append(o.Externals, e)
	}
	return o, nil
}

// orNone leaves out a kind that says there is none: that is the default.
func orNone(kind string) string {
	if kind == "none" {
		return ""
	}
	return kind
}

// command is the one line that makes the same wish.
func (w *wish) command() string {
	args := []string{"new", w.name}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				args = append(args, flag, v)
			}
		}
	}
	add("--resource", w.resource)
	add("--owner", w.owner)
	add("--summary", w.summary)
	add("--database", orNone(w.database))
	add("--cache", orNone(w.cache))
	add("--call", w.calls...)
	add("--publish", w.publish...)
	add("--consume", w.consume...)
	add("--ingress", w.ingress...)
	add("--external", w.externals...)
	return commandLine(args)
}

// parseCall reads SERVICE:operation,operation.
func parseCall(text string) (spec.CallOption, error) {
	service, list, found := strings.Cut(text, ":")
	operations := words(list)
	if !found || service == "" || len(operations) == 0 {
		return spec.CallOption{}, usage("call %q: want SERVICE:operation,operation, such as catalog:getProduct", text)
	}
	return spec.CallOption{Service: service, Operations: operations}, nil
}

// parseExternal reads HOST or HOST:PORT.
func parseExternal(text string) (spec.External, error) {
	host, port, withPort := strings.Cut(text, ":")
	e := spec.External{Host: host}
	var err error
	if withPort {
		e.Port, err = strconv.Atoi(port)
	}
	if host == "" || err != nil {
		return e, usage("external %q: want HOST or HOST:PORT, such as api.psp.example:443", text)
	}
	return e, nil
}

// words splits at commas.
func words(list string) []string {
	var out []string
	for w := range strings.SplitSeq(list, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// operations are all that can be called, as SERVICE:operation, sorted.
func operations(m *spec.Model) []string {
	var out []string
	for _, s := range m.Services {
		if s.Contract == nil {
			continue
		}
		for id := range s.Contract.Operations {
			out = append(out, s.Name+":"+id)
		}
	}
	slices.Sort(out)
	return out
}
