package flag

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const maxFile = 1 << 20

var flagName = regexp.MustCompile(`^[a-z][a-z0-9._-]{0,127}$`)

// definition is a flag as a file has it. Its values are bool or string, all of the type of the first.
type definition struct {
	Value       any            `yaml:"value" json:"value"`
	Variants    []string       `yaml:"variants,omitempty" json:"variants,omitempty"`
	Rollout     *rollout       `yaml:"rollout,omitempty" json:"rollout,omitempty"`
	Keys        map[string]any `yaml:"keys,omitempty" json:"-"` // may be people's names
	Description string         `yaml:"description,omitempty" json:"description,omitempty"`
}

type rollout struct {
	Value   any     `yaml:"value" json:"value"`
	Percent float64 `yaml:"percent" json:"percent"`
}

// read reads the file, if there is one.
func (f *Flags) read() (*state, error) {
	s := &state{loaded: time.Now().UTC(), flags: map[string]definition{}}
	if f.opt.File != "" {
		text, err := readFile(f.opt.File)
		s.text = string(text)
		if err == nil {
			s.flags, err = parse(text)
		}
		if err != nil {
			return s, fmt.Errorf("read %s: %w", f.opt.File, err)
		}
	}
	for name, fixed := range f.fixed {
		if there, ok := s.flags[name]; ok {
			if err := there.check(fixed.Value); err != nil {
				return s, fmt.Errorf("flag %s is set to %v: %w", name, fixed.Value, err)
			}
		}
		s.flags[name] = fixed
	}
	return s, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

// parse reads a file's text; JSON is YAML too.
func parse(text []byte) (map[string]definition, error) {
	var file struct {
		Flags map[string]definition `yaml:"flags"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is not as it should be: %w", err)
	}
	if file.Flags == nil {
		return nil, errors.New("it has no flags: to have none on purpose write flags: {}") // or somebody is just writing it
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one document: keep one")
	}
	for _, name := range slices.Sorted(maps.Keys(file.Flags)) {
		if !flagName.MatchString(name) {
			return nil, fmt.Errorf("flag %q: a name has at most 128 characters of a-z, 0-9 and ._- and begins with a letter", name)
		}
		if err := file.Flags[name].validate(); err != nil {
			return nil, fmt.Errorf("flag %s: %w", name, err)
		}
	}
	return file.Flags, nil
}

func (d definition) validate() error {
	switch d.Value.(type) {
	case bool:
		if d.Variants != nil {
			return errors.New("variants are for texts; true and false need none")
		}
	case string:
	case nil:
		return errors.New("value is missing: give what everybody gets")
	default:
		return fmt.Errorf("value is %v, neither true, false nor a text: put it in quotes if a text is meant", d.Value)
	}
	if err := d.check(d.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if r := d.Rollout; r != nil {
		if !(r.Percent >= 0 && r.Percent <= 100) {
			return fmt.Errorf("rollout: %v is no percentage: give 0 to 100", r.Percent)
		}
		if err := d.check(r.Value); err != nil {
			return fmt.Errorf("rollout: %w", err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.Keys)) {
		if err := d.check(d.Keys[key]); err != nil {
			return fmt.Errorf("keys: one of them: %w", err) // which may be a person
		}
	}
	return nil
}

// check tells whether the flag may have the value.
func (d definition) check(value any) error {
	switch v := value.(type) {
	case bool:
		if _, ok := d.Value.(bool); ok {
			return nil
		}
	case string:
		if _, ok := d.Value.(string); !ok {
			break
		}
		if d.Variants != nil && !slices.Contains(d.Variants, v) {
			return fmt.Errorf("%q is none of the variants %s", v, strings.Join(d.Variants, ", "))
		}
		return nil
	}
	return fmt.Errorf("%v is not of the type of the flag's value %v", value, d.Value)
}

// parseSet reads name=value.
func parseSet(items []string) (map[string]definition, error) {
	set := map[string]definition{}
	for _, item := range items {
		name, text, ok := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		if !ok || !flagName.MatchString(name) {
			return nil, fmt.Errorf("%q sets no flag: write name=value, such as checkout.fast=true", item)
		}
		if _, twice := set[name]; twice {
			return nil, fmt.Errorf("flag %s is set twice: set it once", name)
		}
		var value any = text
		if text == "true" || text == "false" {
			value = text == "true"
		}
		set[name] = definition{Value: value}
	}
	return set, nil
}
