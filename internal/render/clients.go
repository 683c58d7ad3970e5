package render

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// clientInterface is what oapi-codegen calls the interface of a client whose methods give decoded answers.
const clientInterface = "ClientWithResponsesInterface"

// client is the generated client of a service: its methods as syntax.
type client struct {
	fset    *token.FileSet
	methods []*ast.Field
	types   map[string]bool   // declared in the package
	imports map[string]string // import paths by name
}

// Methods gives, as Go code for an interface, the methods of a callee's client for the declared operations, and for no
// others: what is not declared cannot be called.
func (v view) Methods(c callee) (string, error) {
	parsed, err := v.client(c.service)
	if err != nil {
		return "", &toldError{err}
	}
	var b strings.Builder
	for _, op := range c.Operations {
		text, err := parsed.operation(op, c.Package)
		if err != nil {
			return "", &toldError{fmt.Errorf("%s: operation %s: %w", c.service.Contract.Path, op.ID, err)}
		}
		b.WriteString(text)
	}
	// The types that a contract names by x-go-type are in packages of which only the callee's code knows.
	for name, importPath := range parsed.imports {
		if _, known := v.r.services.Imports[name]; !known {
			v.extra[name] = importPath
		}
	}
	return b.String(), nil
}

// client parses a service's generated client, if possible without generating it anew.
func (v view) client(s *spec.Service) (*client, error) {
	return v.r.clients.get(s.Name+"\n"+string(s.Contract.Raw), func() (*client, error) {
		i := slices.IndexFunc(v.r.services.Files, func(e *entry) bool { return e.Client })
		if i < 0 {
			return nil, fmt.Errorf("templates/%s/manifest.yaml: no file is marked as the client", v.r.services.name)
		}
		d, err := v.r.newService(v.model, s, Inputs{})
		if err != nil {
			return nil, err
		}
		file, _, err := v.r.file(view{service: d, entry: v.r.services.Files[i], cache: v.cache}, "the contract's own")
		if err != nil {
			return nil, err
		}
		return parseClient(file.Path, file.Content)
	})
}

func parseClient(name string, source []byte) (*client, error) {
	c := &client{fset: token.NewFileSet(), types: map[string]bool{}, imports: map[string]string{}}
	file, err := parser.ParseFile(c.fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, spec := range file.Imports {
		c.imports[importName(spec)] = strings.Trim(spec.Path.Value, `"`)
	}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, s := range types.Specs {
			declared := s.(*ast.TypeSpec)
			c.types[declared.Name.Name] = true
			if methods, ok := declared.Type.(*ast.InterfaceType); ok && declared.Name.Name == clientInterface {
				c.methods = methods.Methods.List
			}
		}
	}
	return c, nil
}

// operation gives the methods for one operation: the one for each kind of body, and the one for any body only where there
// is no other.
func (c *client) operation(op *spec.Operation, pkg string) (string, error) {
	var typed, untyped []*ast.Field
	name := regexp.MustCompile(`^` + goName(op.ID) + `(With\w*Body)?WithResponse$`)
	for _, m := range c.methods {
		match := name.FindStringSubmatch(m.Names[0].Name)
		switch {
		case match == nil:
		case match[1] == "WithBody":
			untyped = append(untyped, m)
		default:
			typed = append(typed, m)
		}
	}
	if typed == nil {
		typed = untyped
	}
	if typed == nil {
		return "", fmt.Errorf("the generated client has no method %sWithResponse", goName(op.ID))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\t// %s %s\n", op.Method, op.Path)
	for _, m := range typed {
		text, err := c.signature(m.Type.(*ast.FuncType), pkg)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\t%s%s\n", m.Names[0].Name, text)
	}
	return b.String(), nil
}

// signature writes a method's parameters and results with the package before each of its own types.
func (c *client) signature(f *ast.FuncType, pkg string) (string, error) {
	qualified := &ast.FuncType{Params: c.qualifyFields(f.Params, pkg), Results: c.qualifyFields(f.Results, pkg)}
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), qualified); err != nil {
		return "", err
	}
	return strings.TrimPrefix(b.String(), "func"), nil
}

func (c *client) qualifyFields(list *ast.FieldList, pkg string) *ast.FieldList {
	if list == nil {
		return nil
	}
	out := &ast.FieldList{}
	for _, field := range list.List {
		var names []*ast.Ident
		for _, name := range field.Names {
			names = append(names, ast.NewIdent(name.Name))
		}
		out.List = append(out.List, &ast.Field{Names: names, Type: c.qualify(field.Type, pkg)})
	}
	return out
}

// qualify copies a type's syntax without its positions.
func (c *client) qualify(t ast.Expr, pkg string) ast.Expr {
	switch t := t.(type) {
	case *ast.Ident:
		if c.types[t.Name] {
			return &ast.SelectorExpr{X: ast.NewIdent(pkg), Sel: ast.NewIdent(t.Name)}
		}
		return ast.NewIdent(t.Name)
	case *ast.StarExpr:
		return &ast.StarExpr{X: c.qualify(t.X, pkg)}
	case *ast.ArrayType:
		return &ast.ArrayType{Len: t.Len, Elt: c.qualify(t.Elt, pkg)}
	case *ast.MapType:
		return &ast.MapType{Key: c.qualify(t.Key, pkg), Value: c.qualify(t.Value, pkg)}
	case *ast.Ellipsis:
		return &ast.Ellipsis{Elt: c.qualify(t.Elt, pkg)}
	case *ast.SelectorExpr:
		return &ast.SelectorExpr{X: ast.NewIdent(t.X.(*ast.Ident).Name), Sel: ast.NewIdent(t.Sel.Name)}
	}
	return t
}
