// Package border checks, in the source, that services keep to themselves: none imports more of another than its API, opens a database
// by itself, or names a table that is not its own.
//
//	for _, fault := range border.Check(os.DirFS("../.."), module, names) { … }
//
// That they could not if they tried is proven elsewhere: PostgreSQL refuses the role (internal/cluster), the mesh the connection
// (mesh/proof), and the compiler what is internal. Here it is found before anything runs, and in what no compiler looks at: SQL.
package border

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Check gives what is wrong, each with its place, sorted. The file system's root is the platform's; names are those of its services.
func Check(root fs.FS, module string, names []string) ([]string, error) {
	c := &check{root: root, module: module, tables: map[string][]string{}}
	for _, name := range names {
		tables, err := c.created(path.Join("services", name))
		if err != nil {
			return nil, err
		}
		c.tables[name] = tables
	}
	for _, name := range names {
		if err := c.service(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(c.faults)
	return slices.Compact(c.faults), nil
}

type check struct {
	root   fs.FS
	module string
	tables map[string][]string // by service: those that its migrations create
	faults []string
	names  int // of tables that were seen in use
}

func (c *check) fault(at, format string, args ...any) {
	c.faults = append(c.faults, at+": "+fmt.Sprintf(format, args...))
}

var (
	comment = regexp.MustCompile(`--[^\n]*`)
	creates = regexp.MustCompile(`(?i)\bCREATE\s+(?:UNLOGGED\s+|TEMP\s+|TEMPORARY\s+)?(?:TABLE|VIEW|MATERIALIZED VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([a-z_][a-z0-9_.]*)`)
	// Statements are written with their keywords in capitals, and names without: prose is not taken for them.
	uses     = regexp.MustCompile(`\b(FROM|JOIN|INTO|UPDATE|TABLE|REFERENCES|TRUNCATE|ON)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?"?([a-z_][a-z0-9_.]*)"?(\s*\()?`)
	withs    = regexp.MustCompile(`"?([a-z_][a-z0-9_]*)"?\s+AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(`)
	reaching = regexp.MustCompile(`(?i)\b(ATTACH\s+DATABASE|dblink|postgres_fdw|CREATE\s+SERVER|IMPORT\s+FOREIGN)\b`)
	tag      = regexp.MustCompile(`bun:"(?:[^"]*,)?(?:table|m2m):([^",]+)`)
)

// created are the tables that the migrations of a service create.
func (c *check) created(dir string) ([]string, error) {
	var names []string
	err := c.each(dir, func(file string, text []byte) error {
		if strings.HasSuffix(file, ".sql") {
			for _, match := range creates.FindAllStringSubmatch(comment.ReplaceAllString(string(text), ""), -1) {
				names = append(names, match[1])
			}
		}
		return nil
	})
	return names, err
}

// each calls fn for the files of a folder.
func (c *check) each(dir string, fn func(file string, text []byte) error) error {
	return fs.WalkDir(c.root, dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if entry != nil && entry.Name() == ".scaffold" {
				return fs.SkipDir
			}
			return err
		}
		if ext := path.Ext(file); ext != ".go" && ext != ".sql" {
			return nil
		}
		text, err := fs.ReadFile(c.root, file)
		if err != nil {
			return err
		}
		return fn(file, text)
	})
}

func (c *check) service(name string) error {
	return c.each(path.Join("services", name), func(file string, text []byte) error {
		if strings.HasSuffix(file, ".sql") {
			c.sql(name, file, comment.ReplaceAllString(string(text), ""), true)
			return nil
		}
		return c.source(name, file, text)
	})
}

func (c *check) source(service, file string, text []byte) error {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, text, 0)
	if err != nil {
		return err
	}
	test := strings.HasSuffix(file, "_test.go")
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if complaint := c.imports(service, imported, test); complaint != "" {
			c.fault(set.Position(spec.Pos()).String(), "%s: %s", imported, complaint)
		}
	}
	if test {
		return nil // a test's tables are its own
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		at := func() string { return set.Position(n.Pos()).String() }
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr:
			c.call(service, at(), n)
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				c.literal(service, at(), n.Value)
			}
		}
		return true
	})
	return nil
}

// drivers open databases.
var drivers = []string{"github.com/jackc/pgx/", "modernc.org/sqlite", "github.com/uptrace/bun/driver/", "github.com/lib/pq", "github.com/mattn/"}

// imports says what is wrong with an import, if anything. A test may use what another service provides for tests, such as
// services/legacy/legacytest.
func (c *check) imports(service, imported string, test bool) string {
	if !test && slices.ContainsFunc(drivers, func(d string) bool { return strings.HasPrefix(imported, d) }) {
		return "the chassis opens the service's database, and nobody else does"
	}
	rest, ok := strings.CutPrefix(imported, c.module+"/services/")
	if !ok {
		return ""
	}
	other, inside, _ := strings.Cut(rest, "/")
	switch {
	case other == service, inside == "api", test && inside == other+"test":
		return ""
	}
	return "of another service there is only the api"
}

// openers are functions that open a database by its address.
var openers = []string{"sql.Open", "sql.OpenDB", "database.Open", "pgx.Connect", "pgxpool.New"}

// call looks for databases that are opened and for tables that a query names.
func (c *check) call(service, at string, call *ast.CallExpr) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(openers, of.Name+"."+selector.Sel.Name) {
		c.fault(at, "%s.%s: the chassis opens the service's database, and nobody else does", of.Name, selector.Sel.Name)
	}
	switch selector.Sel.Name {
	case "Table", "TableExpr", "ModelTableExpr":
		for _, arg := range call.Args {
			literal, ok := arg.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				continue
			}
			text, _ := strconv.Unquote(literal.Value) // the parser has read it
			if fields := strings.Fields(text); len(fields) > 0 && fields[0] != "(?)" {
				c.table(service, at, strings.Trim(fields[0], `"`))
			}
		}
	}
}

// literal looks for the tables of a text that is a query or the tag of a model.
func (c *check) literal(service, at, quoted string) {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return
	}
	for _, match := range tag.FindAllStringSubmatch(text, -1) {
		c.table(service, at, strings.Trim(match[1], `"`))
	}
	c.sql(service, at, text, false)
}

// sql looks for the tables of a query.
func (c *check) sql(service, at, text string, migration bool) {
	if found := reaching.FindString(text); found != "" && (migration || strings.ToUpper(found) == found) {
		c.fault(at, "%s reaches into another database", found)
	}
	var local []string
	for _, match := range withs.FindAllStringSubmatch(text, -1) {
		local = append(local, match[1])
	}
	for _, match := range uses.FindAllStringSubmatch(text, -1) {
		keyword, name, called := match[1], match[2], match[3] != ""
		switch {
		case slices.Contains(local, name):
		case called && (keyword == "FROM" || keyword == "JOIN"): // a function
		case keyword == "ON" && !migration: // a join's condition
		default:
			c.table(service, at, name)
		}
	}
}

// table checks a name that a service uses.
func (c *check) table(service, at, name string) {
	c.names++
	if slices.Contains(c.tables[service], name) {
		return
	}
	for other, tables := range c.tables {
		if slices.Contains(tables, name) {
			c.fault(at, "%s is a table of %s: ask its API, or keep what its events tell", name, other)
			return
		}
	}
	c.fault(at, "%s is no table of the service's migrations", name)
}
