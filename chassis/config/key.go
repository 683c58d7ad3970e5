package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// key is one value that a struct takes.
type key struct {
	path     string // http.addr
	variable string // APP_HTTP_ADDR
	alias    string // another variable, or ""
	value    reflect.Value
	defaults string
	doc      string
	required bool
	text     bool   // may come from a file of its own
	pattern  string // the path with * for the names of map entries
	entry    *mapEntry
}

// mapEntry is an entry under construction: a map's values cannot be set in place.
type mapEntry struct {
	target reflect.Value // the map
	name   string
	value  reflect.Value
}

// keysOf lists the keys of a struct, those of the map entries that the sources name included.
func (s *Source) keysOf(v reflect.Value) ([]*key, error) {
	var keys []*key
	err := s.walk(v, "", "", nil, &keys)
	return keys, err
}

func (s *Source) walk(v reflect.Value, path, pattern string, entry *mapEntry, keys *[]*key) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, squash := fieldName(field)
		if name == "-" || (!field.IsExported() && !squash) {
			continue
		}
		at, pat := join2(path, name), join2(pattern, name)
		if squash {
			at, pat = path, pattern
		}
		if err := s.walkField(v.Field(i), field, at, pat, entry, keys); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) walkField(v reflect.Value, field reflect.StructField, path, pattern string, entry *mapEntry, keys *[]*key) error {
	switch {
	case isLeaf(field.Type):
		*keys = append(*keys, &key{
			path: path, pattern: pattern, variable: s.opt.Prefix + variableName(path), alias: field.Tag.Get("env"), value: v,
			defaults: field.Tag.Get("default"), doc: field.Tag.Get("doc"), required: field.Tag.Get("required") == "true",
			text: v.Kind() == reflect.String || field.Type == reflect.TypeFor[Secret](), entry: entry,
		})
		return nil
	case v.Kind() == reflect.Struct:
		return s.walk(v, path, pattern, entry, keys)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String && entry == nil:
		return s.walkMap(v, field, path, pattern, keys)
	}
	return fmt.Errorf("%s is a %s, which cannot be configured", path, field.Type)
}

// walkMap lists the keys of each entry that the options, the map itself, the file or the environment names.
func (s *Source) walkMap(v reflect.Value, field reflect.StructField, path, pattern string, keys *[]*key) error {
	elem := v.Type().Elem()
	s.sections[path] = true
	v.Set(copyOf(v)) // the caller's map changes only when all is well
	for _, name := range s.entryNames(v, elem, path) {
		entry := &mapEntry{target: v, name: name, value: reflect.New(elem).Elem()}
		if old := v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())); old.IsValid() {
			entry.value.Set(old)
		}
		single := field
		single.Type = elem
		if err := s.walkField(entry.value, single, path+"."+name, pattern+".*", entry, keys); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) entryNames(v reflect.Value, elem reflect.Type, path string) []string {
	names := slices.Clone(s.opt.Names[path])
	for _, name := range v.MapKeys() {
		names = append(names, name.String())
	}
	if s.opt.Names[path] == nil {
		names = append(names, s.namesInFile(path)...)
		names = append(names, s.namesInEnvironment(elem, path)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *Source) namesInFile(path string) []string {
	var names []string
	for entry := range s.entries {
		if rest, ok := strings.CutPrefix(entry, path+"."); ok {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	return names
}

// namesInEnvironment reads the names back from variables: what stands between the map's name and that of one of the
// entry's keys, in small letters with - for _, as service names are DNS labels, which have no _.
func (s *Source) namesInEnvironment(elem reflect.Type, path string) []string {
	suffixes := suffixesOf(elem)
	slices.SortFunc(suffixes, func(a, b string) int { return len(b) - len(a) }) // _BASE_URL before _URL
	var names []string
	for variable := range s.env {
		rest, ok := strings.CutPrefix(variable, s.opt.Prefix+variableName(path)+"_")
		if !ok {
			continue
		}
		for _, suffix := range suffixes {
			if name, ok := strings.CutSuffix(rest, suffix); ok && name != "" {
				names = append(names, strings.ToLower(strings.ReplaceAll(name, "_", "-")))
				break
			}
		}
	}
	return names
}

// suffixesOf gives the ends of the variables of a map's entry: _URL, and _URL_FILE.
func suffixesOf(elem reflect.Type) []string {
	if isLeaf(elem) {
		return []string{"", fileSuffix}
	}
	var suffixes []string
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		if isLeaf(t) {
			suffixes = append(suffixes, "_"+variableName(path), "_"+variableName(path)+fileSuffix)
			return
		}
		for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
			if name, squash := fieldName(t.Field(i)); squash {
				walk(t.Field(i).Type, path)
			} else if name != "-" {
				walk(t.Field(i).Type, join2(path, name))
			}
		}
	}
	walk(elem, "")
	return suffixes
}

// storeMaps puts the entries into their maps.
func storeMaps(keys []*key) {
	for _, k := range keys {
		if k.entry == nil {
			continue
		}
		m := k.entry.target
		m.SetMapIndex(reflect.ValueOf(k.entry.name).Convert(m.Type().Key()), k.entry.value)
	}
}

func copyOf(m reflect.Value) reflect.Value {
	fresh := reflect.MakeMap(m.Type())
	for it := m.MapRange(); it.Next(); {
		fresh.SetMapIndex(it.Key(), it.Value())
	}
	return fresh
}

func fieldName(field reflect.StructField) (name string, squash bool) {
	name, options, _ := strings.Cut(field.Tag.Get("config"), ",")
	if options == "squash" {
		return "", true
	}
	if name == "" {
		name = strings.ToLower(field.Name[:1]) + field.Name[1:]
	}
	return name, false
}

func join2(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// isLeaf reports whether a type takes one value, or a list of them.
func isLeaf(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || t == reflect.TypeFor[time.Duration]() {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Slice && isLeaf(t.Elem())
	}
	return false
}

// variableName is a path as a variable: dots, hyphens and the humps of camelCase become underscores.
func variableName(path string) string {
	var b strings.Builder
	small := false
	for _, r := range path {
		switch {
		case r == '.' || r == '-':
			r, small = '_', false
		case unicode.IsUpper(r):
			if small {
				b.WriteByte('_')
			}
			small = false
		default:
			small = true
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
