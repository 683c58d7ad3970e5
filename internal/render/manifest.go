package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
	"github.com/trellis-mesh/trellis/internal/plan"
)

// manifest is a template set's manifest.yaml: which files there are, when, and what they may import.
type manifest struct {
	Version string            `yaml:"version"`
	Imports map[string]string `yaml:"imports"`
	Files   []*entry          `yaml:"files"`
}

// entry is one row of the manifest. Path, When and Provides are templates themselves.
type entry struct {
	// Path is relative to the service's folder, or to the platform's root when it begins with a slash.
	Path     string     `yaml:"path"`
	Template string     `yaml:"template"`
	Class    plan.Class `yaml:"class"`
	Mode     string     `yaml:"mode"`
	// When is a condition, written as in a template's if.
	When string `yaml:"when"`
	// Each makes a file for each of: operations, publishes, consumes.
	Each     string `yaml:"each"`
	Provides string `yaml:"provides"`
	// Imports go before the manifest's own.
	Imports map[string]string `yaml:"imports"`
	// From says what the file is made from: the contract alone, or with mesh also the declarations of connected services. Of the
	// platform's files, those from services name each of them; the others follow from platform.yaml alone.
	From string `yaml:"from"`
	// Seed files are made once, by Seeds.
	Seed bool `yaml:"seed"`
	// Frozen files are rendered once for a path, and then left for good.
	Frozen bool `yaml:"frozen"`
	// Client marks the Go file with the client that other services call this one by.
	Client bool `yaml:"client"`

	mode           fs.FileMode
	path, provides *template.Template
	when           *template.Template
}

// set is a template set. Its templates are parsed when the first of them is rendered: a run in which nothing changed needs
// none.
type set struct {
	manifest
	fsys  fs.FS
	name  string
	parse func() (*template.Template, error)
	// hash identifies all that an entry's content depends on besides the declarations.
	hash func() (map[*entry]string, error)
}

func loadSet(fsys fs.FS, name string) (*set, error) {
	s := &set{fsys: fsys, name: name}
	raw, err := fs.ReadFile(fsys, path.Join(name, "manifest.yaml"))
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s.manifest); err != nil {
		return nil, fmt.Errorf("templates/%s/manifest.yaml: %w", name, err)
	}
	root := template.New("manifest").Option("missingkey=error").Funcs(functions)
	for i, e := range s.Files {
		if err := e.compile(root); err != nil {
			return nil, fmt.Errorf("templates/%s/manifest.yaml: files[%d]: %w", name, i, err)
		}
	}
	s.parse = sync.OnceValues(s.parseTemplates)
	s.hash = sync.OnceValues(s.hashTemplates)
	return s, nil
}

func (e *entry) compile(root *template.Template) (err error) {
	switch e.Class {
	case plan.Owned, plan.Merged, plan.Once:
	default:
		return fmt.Errorf("class %q: use owned, merged or once", e.Class)
	}
	if !slices.Contains([]string{"", "operations", "publishes", "consumes"}, e.Each) {
		return fmt.Errorf("each %q: use operations, publishes or consumes", e.Each)
	}
	if !slices.Contains([]string{"", "contract", "mesh", "services"}, e.From) {
		return fmt.Errorf("from %q: use contract, mesh or services, or leave it out", e.From)
	}
	if e.Frozen && e.Class != plan.Once {
		return fmt.Errorf("frozen: a file of class %s is rendered again; use once", e.Class)
	}
	e.mode = 0o644
	if e.Mode != "" {
		mode, err := strconv.ParseUint(e.Mode, 8, 9)
		if err != nil {
			return fmt.Errorf("mode %q: write it in octal, as 0755", e.Mode)
		}
		e.mode = fs.FileMode(mode)
	}
	if e.path, err = expression(root, e.Path); err != nil {
		return err
	}
	if e.provides, err = expression(root, e.Provides); err != nil {
		return err
	}
	if e.When != "" {
		e.when, err = expression(root, "{{if "+e.When+"}}yes{{end}}")
	}
	return err
}

// expression parses one of an entry's small templates; most are plain text, which needs none.
func expression(root *template.Template, text string) (*template.Template, error) {
	if !strings.Contains(text, "{{") {
		return nil, nil
	}
	// Sharing the functions of one template costs a fraction of giving them to each.
	return root.New(text).Parse(text)
}

// execute runs an expression.
func execute(t *template.Template, plain string, data any) (string, error) {
	if t == nil {
		return plain, nil
	}
	var b strings.Builder
	err := t.Execute(&b, data)
	return b.String(), err
}

// applies reports whether the entry's condition holds.
func (e *entry) applies(v view) (bool, error) {
	if e.when == nil {
		return true, nil
	}
	answer, err := execute(e.when, "", v)
	return answer != "", err
}

func (s *set) parseTemplates() (*template.Template, error) {
	t := template.New(s.name).Option("missingkey=error").Funcs(functions)
	names, err := s.templates()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(s.fsys, path.Join(s.name, name))
		if err != nil {
			return nil, err
		}
		if _, err := t.New(name).Parse(string(text)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// templates lists the files of the set that are templates, in a fixed order.
func (s *set) templates() ([]string, error) {
	var names []string
	err := fs.WalkDir(s.fsys, s.name, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(file, ".tmpl") {
			names = append(names, strings.TrimPrefix(file, s.name+"/"))
		}
		return err
	})
	return names, err
}

// hashTemplates gives each entry a hash of its template, of the partials that any template may include, and of how this
// package turns templates into files.
func (s *set) hashTemplates() (map[*entry]string, error) {
	shared := sha256.New()
	fmt.Fprintln(shared, engine, sortedPairs(s.Imports), metric.All()) // rules and dashboards name metrics
	names, err := s.templates()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			if err := s.copyTo(shared, name); err != nil {
				return nil, err
			}
		}
	}
	hashes := map[*entry]string{}
	for _, e := range s.Files {
		h := sha256.New()
		h.Write(shared.Sum(nil))
		fmt.Fprintln(h, e.Path, e.Template, e.Class, e.Mode, e.Each, e.From, sortedPairs(e.Imports))
		if err := s.copyTo(h, e.Template); err != nil {
			return nil, fmt.Errorf("templates/%s/manifest.yaml: %w", s.name, err)
		}
		hashes[e] = hex.EncodeToString(h.Sum(nil))
	}
	return hashes, nil
}

func (s *set) copyTo(w io.Writer, name string) error {
	text, err := fs.ReadFile(s.fsys, path.Join(s.name, name))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %d\n%s", name, len(text), text)
	return err
}

// text renders an entry's template.
func (s *set) text(e *entry, data any) (string, error) {
	t, err := s.parse()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.ExecuteTemplate(&b, e.Template, data)
	var execution template.ExecError
	if errors.As(err, &execution) {
		// What a method of the data said, without the template engine's position, when there is such a thing.
		var told *toldError
		if errors.As(execution.Err, &told) {
			return "", told.error
		}
	}
	return b.String(), err
}

// toldError is an error about the declarations, not about a template.
type toldError struct{ error }

func sortedPairs(m map[string]string) []string {
	pairs := make([]string, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, k+"="+v)
	}
	slices.Sort(pairs)
	return pairs
}
