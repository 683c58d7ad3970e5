package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is one edit of a service.yaml: a value to be set, or items to be in a list.
type Change struct {
	path  []string
	set   string // the value of the key at path
	items []item // what the list at path must hold
}

// item is an item of a list: how it is written in one line, and its meaning.
type item struct {
	text  string
	value any
}

func texts(values []string) []item {
	items := make([]item, len(values))
	for i, value := range values {
		items[i] = item{scalar(value), value}
	}
	return items
}

// AddCall declares operations of a callee; those of a call that exists already are added to it. Without operations it
// changes nothing.
func AddCall(service string, operations ...string) Change {
	return Change{path: []string{"calls", service, "operations"}, items: texts(operations)}
}

// AddPublished declares event types that the service publishes.
func AddPublished(types ...string) Change {
	return Change{path: []string{"events", "publishes"}, items: texts(types)}
}

// AddConsumed declares event types that the service consumes.
func AddConsumed(types ...string) Change {
	return Change{path: []string{"events", "consumes"}, items: texts(types)}
}

// AddIngress declares operations that can be reached from outside.
func AddIngress(operations ...string) Change {
	return Change{path: []string{"ingress"}, items: texts(operations)}
}

// AddExternal declares a host outside the mesh. A zero Port or TLS is left out.
func AddExternal(e External) Change {
	value := map[string]any{"host": e.Host}
	if e.Port != 0 {
		value["port"] = e.Port
	}
	if e.TLS != "" {
		value["tls"] = e.TLS
	}
	return Change{path: []string{"externals"}, items: []item{{flowExternal(e), value}}}
}

// SetDatabase sets the kind of database.
func SetDatabase(kind string) Change { return Change{path: []string{"database", "kind"}, set: kind} }

// SetCache sets the kind of cache.
func SetCache(kind string) Change { return Change{path: []string{"cache", "kind"}, set: kind} }

// ErrNotEdited means that a file is written in a way that Edit and AddOperation cannot change safely.
var ErrNotEdited = errors.New("the file is written in a way that is not changed by machine")

// Edit makes the changes to the text of a service.yaml. Comments, order and formatting stay as they are; the bytes are the
// same when nothing is to be changed. The result is read again and compared with what was meant: what does not agree is
// ErrNotEdited. Whether the result is a good declaration is for ParseService to say.
func Edit(raw []byte, changes ...Change) ([]byte, error) {
	for _, change := range changes {
		if change.items != nil && len(change.items) == 0 {
			continue
		}
		edited, err := change.apply(raw)
		if err != nil {
			return nil, fmt.Errorf("change %s: %w", strings.Join(change.path, "."), err)
		}
		raw = edited
	}
	return raw, nil
}

func (c Change) apply(raw []byte) ([]byte, error) {
	t, err := openText(raw, maxDeclaration)
	if err != nil {
		return nil, err
	}
	want, err := c.meaning(t.root)
	if err != nil {
		return nil, err
	}
	if err := c.splice(t); err != nil {
		return nil, err
	}
	return t.finish(want)
}

// meaning gives the file's values as they are to be after the change.
func (c Change) meaning(root *yaml.Node) (any, error) {
	values := map[string]any{}
	if err := root.Decode(&values); err != nil {
		return nil, fmt.Errorf("read the file's values: %w", err)
	}
	m := values
	for _, key := range c.path[:len(c.path)-1] {
		if m[key] == nil {
			m[key] = map[string]any{}
		}
		inner, ok := m[key].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s does not hold keys and values: correct it first", key)
		}
		m = inner
	}
	last := c.path[len(c.path)-1]
	if c.items == nil {
		m[last] = c.set
		return values, nil
	}
	list, ok := m[last].([]any)
	if m[last] != nil && !ok {
		return nil, fmt.Errorf("%s does not hold a list: correct it first", last)
	}
	for _, item := range c.items {
		if !slices.ContainsFunc(list, func(v any) bool { return reflect.DeepEqual(v, item.value) }) {
			list = append(list, item.value)
		}
	}
	m[last] = list
	return values, nil
}

// splice finds the innermost key of the path that stands in the file and changes the text there.
func (c Change) splice(t *text) error {
	mapping, key := t.root, (*yaml.Node)(nil)
	for i, name := range c.path {
		found, value := lookup(mapping, name)
		switch {
		case found == nil:
			return t.insertKey(key, mapping, name, c.rest(i), c.order(i))
		case null(value):
			return t.replaceNull(found, value, c.rest(i))
		case i == len(c.path)-1:
			return c.spliceValue(t, value)
		}
		mapping, key = value, found
	}
	return nil
}

func (c Change) spliceValue(t *text, value *yaml.Node) error {
	if c.items == nil {
		if value.Value == c.set {
			return nil
		}
		return t.replace(value, scalar(c.set))
	}
	var present []any
	if err := value.Decode(&present); err != nil {
		return fmt.Errorf("read the list: %w", err)
	}
	var missing []string
	for _, item := range c.items {
		if !slices.ContainsFunc(present, func(v any) bool { return reflect.DeepEqual(v, item.value) }) {
			missing = append(missing, item.text)
			present = append(present, item.value)
		}
	}
	return t.appendItems(value, missing)
}

// rest is what has to be written as the value of the path's key number i when that has none yet.
func (c Change) rest(i int) value {
	keys := c.path[i+1:]
	if c.items == nil {
		return value{keys: keys, flow: scalar(c.set)}
	}
	items := make([]string, len(c.items))
	for i, item := range c.items {
		items[i] = item.text
	}
	return value{keys: keys, flow: "[" + strings.Join(items, ", ") + "]", items: items}
}

// order gives the keys after which a new key of the file's root goes; the keys below have no order.
func (c Change) order(i int) []string {
	if i > 0 {
		return nil
	}
	keys := names(declared(reflect.TypeFor[Service]()))
	return keys[:slices.Index(keys, c.path[0])]
}
