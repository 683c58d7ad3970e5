package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is one edit of a service.yaml: a value to be set, items to be in a list, or a key to be taken out.
type Change struct {
	path   []string
	set    item   // the value of the key at path
	items  []item // what the list at path must hold
	remove bool   // the key at path, and keys around it that hold nothing else
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
func SetDatabase(kind string) Change { return setting(word(kind), "database", "kind") }

// AddShards declares databases that the service spreads rows over.
func AddShards(names ...string) Change {
	return Change{path: []string{"database", "shards"}, items: texts(names)}
}

// SetCache sets the kind of cache.
func SetCache(kind string) Change { return setting(word(kind), "cache", "kind") }

// SetVersion sets the version of the pods that answer requests.
func SetVersion(version string) Change { return setting(word(version), "traffic", "version") }

// SetCanary sets what is given of a canary: its weight, and all but the zero values.
func SetCanary(c Canary) []Change {
	var all []Change
	add := func(i item, path ...string) {
		all = append(all, setting(i, append([]string{"traffic", "canary"}, path...)...))
	}
	if c.Version != "" {
		add(word(c.Version), "version")
	}
	add(number(c.Weight), "weight")
	if c.Header != nil {
		add(word(c.Header.Name), "header", "name")
		add(item{strconv.Quote(c.Header.Value), c.Header.Value}, "header", "value")
	}
	if c.Mirror != 0 {
		add(number(c.Mirror), "mirror")
	}
	return all
}

// RemoveCanaryHeader takes out the header that leads to the canary.
func RemoveCanaryHeader() Change {
	return Change{path: []string{"traffic", "canary", "header"}, remove: true}
}

// SetCanaryWeight sets the share of the requests that the canary gets, in percent, which may be zero.
func SetCanaryWeight(weight int) Change {
	return setting(number(weight), "traffic", "canary", "weight")
}

// SetCanaryMirror sets the share of the requests that the canary gets a copy of, in percent, which may be zero.
func SetCanaryMirror(share int) Change { return setting(number(share), "traffic", "canary", "mirror") }

// RemoveCanary takes the canary out.
func RemoveCanary() Change { return Change{path: []string{"traffic", "canary"}, remove: true} }

func setting(i item, path ...string) Change { return Change{path: path, set: i} }

func word(text string) item { return item{scalar(text), text} }

func number(n int) item { return item{strconv.Itoa(n), n} }

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
	if c.remove {
		return c.cut(t)
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
		m[last] = c.set.value
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

// cut takes the key at the path out, and each key around it that then holds nothing, not even a comment.
func (c Change) cut(t *text) ([]byte, error) {
	values := map[string]any{}
	if err := t.root.Decode(&values); err != nil {
		return nil, fmt.Errorf("read the file's values: %w", err)
	}
	mappings, keys := []*yaml.Node{t.root}, []*yaml.Node{}
	for _, name := range c.path {
		key, value := lookup(mappings[len(mappings)-1], name)
		if key == nil {
			return t.raw, nil
		}
		keys, mappings = append(keys, key), append(mappings, value)
	}
	level := len(keys) - 1
	for level > 0 && len(mappings[level].Content) == 2 && !t.commented(keys[level-1], mappings[level]) {
		level--
	}
	m := values
	for _, name := range c.path[:level] {
		m = m[name].(map[string]any)
	}
	delete(m, c.path[level])
	if level > 0 && len(m) == 0 && mappings[level].Style&yaml.FlowStyle == 0 {
		outer := values
		for _, name := range c.path[:level-1] {
			outer = outer[name].(map[string]any)
		}
		outer[c.path[level-1]] = nil // a key without a value
	}
	if err := t.removeKey(mappings[level], keys[level]); err != nil {
		return nil, err
	}
	return t.finish(values)
}

func (c Change) spliceValue(t *text, value *yaml.Node) error {
	if c.items == nil {
		if value.Value == fmt.Sprint(c.set.value) {
			return nil
		}
		return t.replace(value, c.set.text)
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
		return value{keys: keys, flow: c.set.text}
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
