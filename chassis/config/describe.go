package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Key documents one key of a configuration, for a program's help and for showing what is in force.
type Key struct {
	// Path is the key, such as http.addr.
	Path string
	// Variables are the environment variables that set it, the strongest first.
	Variables []string
	// Default and Doc are those of the tags.
	Default, Doc string
	// Required says that there is no default to do without it.
	Required bool
	// Value is what the struct holds, as one text; a secret is masked.
	Value string
}

// Keys lists the keys of the struct that from points to, in the struct's order, with the entries of maps that the sources
// name. It reads and claims nothing.
func (s *Source) Keys(from any) ([]Key, error) {
	given := reflect.ValueOf(from)
	if given.Kind() != reflect.Pointer || given.IsNil() || given.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("config: keys of a %T; give a pointer to a struct", from)
	}
	scratch := reflect.New(given.Elem().Type())
	scratch.Elem().Set(given.Elem())
	found, err := s.keysOf(scratch.Elem())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	keys := make([]Key, len(found))
	for i, k := range found {
		keys[i] = Key{
			Path: k.path, Variables: []string{k.variable}, Default: k.defaults, Doc: k.doc, Required: k.required, Value: textOf(k.value),
		}
		if k.alias != "" {
			keys[i].Variables = append(keys[i].Variables, k.alias)
		}
	}
	return keys, nil
}

// textOf writes a value as it would be written in a variable.
func textOf(v reflect.Value) string {
	if v.Kind() != reflect.Slice || isText(v) {
		return fmt.Sprint(v.Interface())
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = textOf(v.Index(i))
	}
	return strings.Join(items, ",")
}
