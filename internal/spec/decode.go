package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// decoder fills a declaration from the nodes of its file by the tags of the fields, and notes every problem and the place
// of every field. One fault makes one problem: what it makes unreadable is not looked into.
type decoder struct {
	file      string
	root      reflect.Type
	problems  Problems
	positions map[string]Position
}

// decode fills target, a pointer to a struct of declarations.
func decode(file string, root *yaml.Node, target any) (map[string]Position, Problems) {
	v := reflect.ValueOf(target).Elem()
	d := &decoder{file: file, root: v.Type(), positions: map[string]Position{"": place(file, root)}}
	d.structure(root, v, "", rules{})
	return d.positions, d.problems
}

func (d *decoder) fault(n *yaml.Node, path string, f *fault) {
	d.problems.Add(place(d.file, n), f.remedy, "%s %s", path, f.message)
}

// value decodes n, the value of the key at path, into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, r rules) {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, r)
	case v.Kind() == reflect.Struct:
		if d.expect(n, yaml.MappingNode, path, "keys and values") {
			d.structure(n, v, path, r)
		}
	case v.Kind() == reflect.Map:
		if d.expect(n, yaml.MappingNode, path, "keys and values") {
			d.mapping(n, v, path, r)
		}
	case v.Kind() == reflect.Slice:
		if d.expect(n, yaml.SequenceNode, path, "a list") {
			d.list(n, v, path, r)
		}
	case n.Kind != yaml.ScalarNode:
		d.fault(n, path, &fault{"must be a single value, not " + describe(n), "write it on the key's own line" + r.fallback()})
	default:
		if f := assign(n, v, r); f != nil {
			d.fault(n, path, f)
		}
	}
}

// expect checks the node's shape. Nothing at all counts as an empty one: the lines below may all be comments.
func (d *decoder) expect(n *yaml.Node, kind yaml.Kind, path, what string) bool {
	if n.Kind != kind && !null(n) {
		remedy := "write one \"key: value\" a line below it, or {key: value}"
		if kind == yaml.SequenceNode {
			remedy = "write one \"- item\" a line below it, or [item, item]"
		}
		d.fault(n, path, &fault{"must hold " + what + ", not " + describe(n), remedy})
		return false
	}
	return true
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// sample writes a field with its example.
func sample(f reflect.StructField) string {
	if f.Type.Kind() == reflect.Slice {
		return fmt.Sprintf("%s: [%s]", f.Tag.Get("yaml"), f.Tag.Get("example"))
	}
	return fmt.Sprintf("%s: %s", f.Tag.Get("yaml"), f.Tag.Get("example"))
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, r rules) {
	fields := declared(v.Type())
	seen := d.keys(n, path, func(key *yaml.Node) bool {
		if slices.ContainsFunc(fields, func(f reflect.StructField) bool { return f.Tag.Get("yaml") == key.Value }) {
			return true
		}
		d.unknown(key, path, names(fields))
		return false
	})
	for _, f := range fields {
		key := f.Tag.Get("yaml")
		at, inner, target := join(path, key), r.inherit(f), v.FieldByIndex(f.Index)
		pair, given := seen[key]
		if !given || target.Kind() == reflect.Pointer && null(pair.value) {
			if f.Tag.Get("required") == "true" {
				d.problems.Add(d.positions[path], "add "+sample(f), "%s is missing", at)
			}
			fill(target, inner)
			continue
		}
		d.note(at, pair)
		before := len(d.problems)
		d.value(pair.value, target, at, inner)
		if f.Tag.Get("required") == "true" && target.Kind() == reflect.Slice && target.Len() == 0 && len(d.problems) == before {
			d.problems.Add(d.positions[at], "name at least one, or remove "+path, "%s is empty", at)
		}
	}
}

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// keys goes through a mapping's keys: those that stand twice, or that known refuses, are left out.
func (d *decoder) keys(n *yaml.Node, path string, known func(key *yaml.Node) bool) map[string]pair {
	seen := make(map[string]pair, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.problems.Add(place(d.file, key), "write a single word", "a key must be text, not %s", describe(key))
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.problems.Add(place(d.file, key), "remove one of the two", "%s stands twice: first on line %d", join(path, key.Value), first.key.Line)
			continue
		}
		if known(key) {
			seen[key.Value] = pair{key, value}
		}
	}
	return seen
}

func (d *decoder) unknown(key *yaml.Node, path string, known []string) {
	where := ""
	if path != "" {
		where = " in " + path
	}
	remedy := DidYouMean(key.Value, "the keys here are", known)
	if nearest(key.Value, known) == "" {
		if home := homes(d.root, "", key.Value); len(home) > 0 {
			remedy = "it belongs elsewhere: " + strings.Join(home, ", ")
		}
	}
	d.problems.Add(place(d.file, key), remedy, "unknown key %q%s", clip(key.Value), where)
}

// homes gives the paths of all fields with that key, but not inside lists and maps.
func homes(t reflect.Type, path, key string) []string {
	var found []string
	for _, f := range declared(t) {
		name := join(path, f.Tag.Get("yaml"))
		if f.Tag.Get("yaml") == key {
			found = append(found, name)
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			found = append(found, homes(inner, name, key)...)
		}
	}
	return found
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, r rules) {
	allowed := strings.Split(r.tag.Get("keys"), ",")
	kind := rules{is: r.is}
	if allowed[0] != "" {
		kind = rules{}
	}
	seen := d.keys(n, path, func(key *yaml.Node) bool {
		if allowed[0] != "" && !slices.Contains(allowed, key.Value) {
			d.unknown(key, path, allowed)
			return false
		}
		if f := kind.text(key.Value); f != nil {
			d.fault(key, "the key of "+path, f)
			return false
		}
		return true
	})
	entries := reflect.MakeMapWithSize(v.Type(), len(seen))
	for i := 0; i+1 < len(n.Content); i += 2 { // in the order of the file
		key := n.Content[i]
		pair, ok := seen[key.Value]
		if !ok || pair.key != key {
			continue
		}
		at := join(path, key.Value)
		d.note(at, pair)
		entry := reflect.New(v.Type().Elem()).Elem()
		inner := rules{is: r.is}
		if entry.Kind() == reflect.Pointer {
			inner = rules{}
		}
		d.value(pair.value, entry, at, inner)
		entries.SetMapIndex(reflect.ValueOf(key.Value), entry)
	}
	v.Set(entries)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, r rules) {
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	seen := map[string]int{}
	for i, node := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.positions[at] = place(d.file, node)
		before := len(d.problems)
		d.value(node, items.Index(i), at, rules{is: r.is})
		if len(d.problems) > before {
			continue
		}
		identity := identify(items.Index(i), r.tag.Get("key"))
		if first, twice := seen[identity]; twice {
			d.problems.Add(place(d.file, node), "remove one of the two", "%s names %s again: it is on line %d already", path, identity, n.Content[first].Line)
		} else {
			seen[identity] = i
		}
	}
	if items.Len() > 0 {
		v.Set(items)
	}
}

// identify gives what tells an item of a list from the others.
func identify(item reflect.Value, fields string) string {
	if item.Kind() != reflect.Struct {
		return fmt.Sprint(item.Interface())
	}
	var parts []string
	for key := range strings.SplitSeq(fields, ",") {
		for _, f := range declared(item.Type()) {
			if f.Tag.Get("yaml") == key {
				parts = append(parts, fmt.Sprint(item.FieldByIndex(f.Index).Interface()))
			}
		}
	}
	return strings.Join(parts, ":")
}

// note keeps the place of a field: that of its value when this is a single one, else that of its key.
func (d *decoder) note(path string, p pair) {
	n := p.key
	if p.value.Kind == yaml.ScalarNode && !null(p.value) {
		n = p.value
	}
	d.positions[path] = place(d.file, n)
}

// fill sets a field that is not in the file to its default.
func fill(v reflect.Value, r rules) {
	if v.Kind() == reflect.Struct {
		for _, f := range declared(v.Type()) {
			fill(v.FieldByIndex(f.Index), r.inherit(f))
		}
		return
	}
	if r.standard != "" {
		set(r.standard, v, r) // a test proves that every default is allowed
	}
}

// declaredFields keeps declared's answers: reflection over tags is the most of the work of decoding a small file.
var declaredFields sync.Map

// declared gives the fields of a struct that stand in the file.
func declared(t reflect.Type) []reflect.StructField {
	if cached, ok := declaredFields.Load(t); ok {
		return cached.([]reflect.StructField)
	}
	var fields []reflect.StructField
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			fields = append(fields, f)
		}
	}
	declaredFields.Store(t, fields)
	return fields
}

func names(fields []reflect.StructField) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Tag.Get("yaml")
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
