package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/viper"
)

// Options say where the values come from.
type Options struct {
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Prefix begins the environment variables that belong to the program; APP_ when empty.
	Prefix string
	// File is a YAML file; the variable CONFIG_FILE when empty, and none when that is empty too.
	File string
	// ReadFile reads File and the files of secrets; os.ReadFile when nil.
	ReadFile func(name string) ([]byte, error)
	// Names lists the entries that a map's key must have, such as {"calls": {"catalog", "user-profile"}}. A map that is not
	// listed takes any names.
	Names map[string][]string
}

// fileVariable names the file.
const fileVariable = "CONFIG_FILE"

// Load fills in the struct that into points to: its values are the defaults, then come the default tags, the file and
// the environment. Every other key in the file and every other variable with the prefix is refused. It is Open, Decode and
// Unclaimed in one. An error is an *Error that lists all that is wrong, and then into is unchanged.
func Load(into any, opt Options) error {
	source, err := Open(opt)
	if err != nil {
		return err
	}
	err = source.Decode(into)
	return join(err, source.Unclaimed())
}

// Source is where the values come from, read once, for programs whose parts each decode their own keys. It is not safe
// for concurrent use.
type Source struct {
	opt     Options
	env     map[string]string
	file    string
	entries map[string]entry // what the file holds, by path
	viper   *viper.Viper     // the layers: defaults, file, environment
	origins map[string]string

	known     []string // keys and variables that some Decode knows, for hints
	variables []string
	claimed   map[string]bool // paths of the file and names of variables
	sections  map[string]bool
}

// Open reads the file.
func Open(opt Options) (*Source, error) {
	if opt.Prefix == "" {
		opt.Prefix = "APP_"
	}
	if opt.ReadFile == nil {
		opt.ReadFile = os.ReadFile
	}
	s := &Source{
		opt: opt, env: map[string]string{}, file: opt.File, viper: viper.New(), origins: map[string]string{},
		claimed: map[string]bool{}, sections: map[string]bool{},
	}
	for _, variable := range opt.Environ {
		if name, value, ok := strings.Cut(variable, "="); ok && value != "" {
			s.env[name] = value
		}
	}
	by := "Options.File"
	if s.file == "" {
		s.file, by = s.env[fileVariable], fileVariable
	}
	if s.file == "" {
		return s, nil
	}
	text, err := opt.ReadFile(s.file)
	if err != nil {
		return nil, &Error{Issues: []Issue{{Source: by, Wrong: fmt.Sprintf("names a file that cannot be read: %v", err), Remedy: "correct the path, or unset it"}}}
	}
	if s.entries, err = parseFile(s.file, text); err != nil {
		return nil, err
	}
	return s, s.viper.MergeConfigMap(tree(s.entries))
}

// Decode fills in the struct that into points to and claims its keys.
func (s *Source) Decode(into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: decode into a %T; give a pointer to a struct", into)
	}
	filled := reflect.New(target.Elem().Type())
	filled.Elem().Set(target.Elem())
	keys, err := s.keysOf(filled.Elem())
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var found Error
	for _, k := range keys {
		s.claim(k)
		found.add(s.fill(k))
	}
	storeMaps(keys)
	if len(found.Issues) == 0 {
		validate(filled.Elem(), "", &Check{source: s, found: &found})
	}
	if len(found.Issues) > 0 {
		return &found
	}
	target.Elem().Set(filled.Elem())
	return nil
}

// fill gives a key its value.
func (s *Source) fill(k *key) *Issue {
	if issue := s.readVariables(k); issue != nil {
		return issue
	}
	if k.defaults != "" && k.value.IsZero() {
		s.viper.SetDefault(k.path, k.defaults)
	}
	raw := s.viper.Get(k.path)
	if raw == nil {
		if k.required && k.value.IsZero() {
			return &Issue{Key: k.path, Source: "not set", Wrong: "is required", Remedy: fmt.Sprintf("set %s, or %s in the file that %s names", k.variable, k.path, fileVariable)}
		}
		return nil
	}
	wrong, remedy := setValue(k.value, raw)
	if wrong == "" {
		return nil
	}
	return &Issue{Key: k.path, Source: s.Origin(k.path), Wrong: wrong, Remedy: remedy}
}

// Origin says where a key's value came from: a variable, file:line:column, or "default".
func (s *Source) Origin(path string) string {
	if origin := s.origins[path]; origin != "" {
		return origin
	}
	if e, ok := s.entries[path]; ok {
		return e.place(s.file)
	}
	return "default"
}

// tree nests the file's entries, as viper wants them.
func tree(entries map[string]entry) map[string]any {
	root := map[string]any{}
	for path, e := range entries {
		if e.empty {
			continue
		}
		at := root
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = e.value()
	}
	return root
}

// trimNewline takes away the one line end that editors and shells put after a secret.
func trimNewline(text []byte) string {
	return string(bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")))
}
