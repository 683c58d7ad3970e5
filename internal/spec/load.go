package spec

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/chassis/expect"
)

// Where the declarations lie, relative to the platform's root.
const (
	ServicesDir = "services"
	ServiceFile = "service.yaml"
	EventsDir   = "contracts/events"
	// ExpectationsDir is below a service's folder.
	ExpectationsDir = "contracts"
)

// Load reads the platform whose root is fsys: platform.yaml, go.mod, services/*/service.yaml, their contracts and what they expect of
// each other, and contracts/events/*.json. The error is of type Problems and tells everything that is wrong in every file; the model then
// holds what could be read and is good for nothing but messages.
func Load(fsys fs.FS) (*Model, error) {
	m := &Model{Events: map[string]*Event{}}
	l := &loading{fsys: fsys}
	m.Module = l.module()
	m.Platform = l.platform()
	l.services(m)
	l.events(m)
	l.duplicates(m)
	return m, l.problems.Err()
}

type loading struct {
	fsys     fs.FS
	problems Problems
}

// read gives the file, and a problem when it cannot be read; remedy is for a file that does not exist.
func read(fsys fs.FS, file string, at Position, remedy string) ([]byte, Problems) {
	var problems Problems
	raw, err := fs.ReadFile(fsys, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problems.Add(at, remedy, "%s does not exist", file)
	case err != nil:
		problems.Add(at, "make it a readable file", "%s cannot be read: %v", file, cause(err))
	}
	return raw, problems
}

// cause leaves out the operation and the path that fs adds: the problem names the file already.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func (l *loading) module() string {
	at := Position{"go.mod", 1, 1}
	raw, problems := read(l.fsys, "go.mod", at, "run go mod init in the platform's root")
	l.problems = append(l.problems, problems...)
	module := modfile.ModulePath(raw)
	if len(problems) == 0 && module == "" {
		l.problems.Add(at, "add a line such as: module example.com/shop", "go.mod names no module")
	}
	return module
}

func (l *loading) platform() *Platform {
	raw, problems := read(l.fsys, PlatformFile, Position{PlatformFile, 1, 1}, "run this in a platform's root; one line makes a platform: name: shop")
	var p *Platform
	if len(problems) == 0 {
		p, problems = parsePlatform(PlatformFile, raw)
	}
	l.problems = append(l.problems, problems...)
	return p
}

// Each calls do for every service with its number, on as many goroutines as there are processors.
func (m *Model) Each(do func(i int, s *Service)) {
	parallel(len(m.Services), func(i int) { do(i, m.Services[i]) })
}

// parallel calls do for each i below n on as many goroutines as there are processors.
func parallel(n int, do func(i int)) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error { do(i); return nil })
	}
	_ = g.Wait() // do reports no errors
}

// files gives the names in a folder that the platform may have or not.
func (l *loading) files(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.problems.Add(Position{File: dir, Line: 1, Column: 1}, "make it a readable folder", "%s cannot be read: %v", dir, cause(err))
	}
	return entries
}

func (l *loading) services(m *Model) {
	entries := slices.DeleteFunc(l.files(ServicesDir), func(e fs.DirEntry) bool { return e.Type().IsRegular() })
	services, problems := make([]*Service, len(entries)), make([]Problems, len(entries))
	parallel(len(entries), func(i int) {
		services[i], problems[i] = loadService(l.fsys, path.Join(ServicesDir, entries[i].Name()))
	})
	for i, s := range services {
		l.problems = append(l.problems, problems[i]...)
		if s != nil {
			m.Services = append(m.Services, s)
		}
	}
	slices.SortStableFunc(m.Services, func(a, b *Service) int { return cmp.Compare(a.Name, b.Name) })
}

// loadService reads the service in dir. A folder without a service.yaml is none, and no problem.
func loadService(fsys fs.FS, dir string) (*Service, Problems) {
	file := path.Join(dir, ServiceFile)
	if _, err := fs.Stat(fsys, file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	raw, problems := read(fsys, file, Position{file, 1, 1}, "")
	if len(problems) > 0 {
		return nil, problems
	}
	s, problems := parseService(file, raw)
	if len(problems) > 0 {
		return nil, problems
	}
	contract := path.Join(dir, s.HTTP.Contract)
	if raw, problems = read(fsys, contract, s.At("http.contract"), "write the service's OpenAPI 3.0.3 document there, or correct http.contract"); len(problems) > 0 {
		return nil, problems
	}
	if s.Contract, problems = parseContract(contract, raw); len(problems) > 0 {
		return nil, problems
	}
	if s.Expectations, problems = loadExpectations(fsys, path.Join(dir, ExpectationsDir)); len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// loadExpectations reads what a service expects of others: <provider>.yaml each.
func loadExpectations(fsys fs.FS, dir string) ([]*expect.File, Problems) {
	l := &loading{fsys: fsys}
	var all []*expect.File
	for _, e := range l.files(dir) {
		if e.IsDir() || path.Ext(e.Name()) != ".yaml" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		file := path.Join(dir, e.Name())
		raw, problems := read(fsys, file, Position{file, 1, 1}, "")
		if len(problems) == 0 {
			if problem := unreadable(file, raw, maxDeclaration); problem != nil {
				problems = Problems{*problem}
			}
		}
		l.problems = append(l.problems, problems...)
		if len(problems) > 0 {
			continue
		}
		parsed, err := expect.Parse(file, raw)
		var faults expect.Faults
		errors.As(err, &faults)
		for _, f := range faults {
			l.problems.Add(Position{file, f.Line, f.Column}, "write them as in operations: {getProduct: [{path: {id: tea}, status: 200, reads: {id: string}}]}", "%s", f.Message)
		}
		all = append(all, parsed)
	}
	return all, l.problems
}

func (l *loading) events(m *Model) {
	entries := slices.DeleteFunc(l.files(EventsDir), func(e fs.DirEntry) bool {
		return e.IsDir() || !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".")
	})
	events, problems := make([]*Event, len(entries)), make([]Problems, len(entries))
	parallel(len(entries), func(i int) {
		file := path.Join(EventsDir, entries[i].Name())
		var raw []byte
		if raw, problems[i] = read(l.fsys, file, Position{file, 1, 1}, ""); len(problems[i]) == 0 {
			events[i], problems[i] = parseEvent(file, raw)
		}
	})
	for i, e := range events {
		l.problems = append(l.problems, problems[i]...)
		if e != nil {
			m.Events[e.Type] = e
		}
	}
}

// duplicates refuses services that share a name, or a Go name, and those whose folder has another name.
func (l *loading) duplicates(m *Model) {
	named, goNamed := map[string]*Service{}, map[string]*Service{}
	for _, s := range m.Services {
		goName := strings.ReplaceAll(s.Name, "-", "")
		switch first, second := named[s.Name], goNamed[goName]; {
		case first != nil:
			if path.Base(first.Dir) != s.Name { // the one whose folder has the name is right
				first, s = s, first
			}
			l.problems.Add(s.At("name"), "rename one of the two, and its folder", "the service %s is declared twice: first at %s", s.Name, first.At("name"))
		case second != nil:
			l.problems.Add(s.At("name"), "rename one of the two", "the services %s and %s differ by hyphens only, and give the same Go names", second.Name, s.Name)
		case path.Base(s.Dir) != s.Name && !slices.ContainsFunc(m.Services, func(o *Service) bool { return o != s && o.Name == s.Name }):
			l.problems.Add(s.At("name"), "rename the folder to "+path.Join(ServicesDir, s.Name)+", or write name: "+path.Base(s.Dir), "the service %s lies in the folder %s", s.Name, s.Dir)
		}
		named[s.Name], goNamed[goName] = s, s
	}
}
