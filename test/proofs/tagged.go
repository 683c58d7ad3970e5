package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
)

// brought is a go test of the tests alone that its build tags bring: those in files that are left out without these tags. Its
// packages and their names are added to the command. go test starts packages in the order in which they stand, and those in test, of
// the whole platform, take longest: they come first, lest the last of them runs alone at the end.
func brought(tree fs.FS, command []string) ([]string, error) {
	tags := tagsOf(command)
	names, packages := map[string]bool{}, map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (left(d.Name()) || isModule(tree, name)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		tests, err := testsBrought(tree, name, tags)
		for _, test := range tests {
			names[test], packages["./"+path.Dir(name)] = true, true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no test needs the build tags %s", strings.Join(tags, ","))
	}
	run := "^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$"
	order := slices.Sorted(maps.Keys(packages))
	slices.Reverse(order)
	return append(append(slices.Clone(command), "-run", run), order...), nil
}

// left tells of a folder that go test ./... leaves out, too.
func left(folder string) bool {
	return folder == "testdata" || folder == "vendor" || strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

func isModule(tree fs.FS, folder string) bool {
	_, err := fs.Stat(tree, path.Join(folder, "go.mod"))
	return err == nil
}

// tagsOf are the tags of -tags a,b or -tags=a,b.
func tagsOf(command []string) []string {
	for i, arg := range command {
		if list, ok := strings.CutPrefix(arg, "-tags="); ok {
			return strings.Split(list, ",")
		}
		if arg == "-tags" && i+1 < len(command) {
			return strings.Split(command[i+1], ",")
		}
	}
	return nil
}

// testsBrought are the tests of a file that is built with the tags, and not without them.
func testsBrought(tree fs.FS, name string, tags []string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(source, []byte("//go:build ")) {
		return nil, nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	expr, err := constraintOf(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	without := func(tag string) bool { // what is so on this machine
		return tag == runtime.GOOS || tag == runtime.GOARCH || tag == "unix" && runtime.GOOS != "windows" || strings.HasPrefix(tag, "go1.")
	}
	with := func(tag string) bool { return slices.Contains(tags, tag) || without(tag) }
	if expr == nil || !expr.Eval(with) || expr.Eval(without) {
		return nil, nil
	}
	var tests []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
			tests = append(tests, f.Name.Name)
		}
	}
	return tests, nil
}

// constraintOf is what stands in //go:build before the package clause; nil: nothing does.
func constraintOf(file *ast.File) (constraint.Expr, error) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() < file.Package && constraint.IsGoBuild(c.Text) {
				expr, err := constraint.Parse(c.Text)
				if err != nil {
					return nil, errors.Join(errors.New("its build constraint cannot be read"), err)
				}
				return expr, nil
			}
		}
	}
	return nil, nil
}
