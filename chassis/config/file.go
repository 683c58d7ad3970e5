package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is a value of the file: one text, or a list.
type entry struct {
	text         string
	list         []string
	isList       bool
	empty        bool // null, or a section without keys: as if it were not there
	line, column int
}

func (e entry) value() any {
	if e.isList {
		return e.list
	}
	return e.text
}

func (e entry) place(file string) string { return fmt.Sprintf("%s:%d:%d", file, e.line, e.column) }

// Bounds of the file, far beyond any that a person writes.
const (
	maxFile  = 1 << 20
	maxDepth = 32
)

// parseFile reads a YAML file into entries by path.
func parseFile(name string, text []byte) (map[string]entry, error) {
	if len(text) > maxFile {
		return nil, fileError(name, fmt.Sprintf("is larger than %d bytes", maxFile), "give the configuration, not data")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil // an empty file
		}
		return nil, fileError(name, "is no YAML: "+err.Error(), "correct it")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fileError(name, "has more than one document", "keep one")
	}
	p := fileParser{name: name, entries: map[string]entry{}}
	p.node(document.Content[0], "", 0)
	if len(p.found.Issues) > 0 {
		return nil, &p.found
	}
	return p.entries, nil
}

func fileError(name, wrong, remedy string) error {
	return &Error{Issues: []Issue{{Source: name, Wrong: wrong, Remedy: remedy}}}
}

type fileParser struct {
	name    string
	entries map[string]entry
	found   Error
}

func (p *fileParser) wrong(n *yaml.Node, path, wrong, remedy string) {
	p.found.add(&Issue{Key: path, Source: fmt.Sprintf("%s:%d:%d", p.name, n.Line, n.Column), Wrong: wrong, Remedy: remedy})
}

func (p *fileParser) node(n *yaml.Node, path string, depth int) {
	e := entry{line: n.Line, column: n.Column}
	switch {
	case depth > maxDepth:
		p.wrong(n, path, "is nested too deep", "flatten it")
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		p.wrong(n, path, "uses an anchor or an alias", "write the value out")
		return
	case n.Kind == yaml.MappingNode && (len(n.Content) > 0 || path == ""):
		p.mapping(n, path, depth)
		return
	case n.Kind == yaml.MappingNode, n.Tag == "!!null":
		e.empty = true
	case path == "":
		p.wrong(n, path, "is no mapping", "write keys with values, as in http: {addr: \":8080\"}")
		return
	case n.Kind == yaml.SequenceNode:
		e.isList = true
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Anchor != "" {
				p.wrong(item, path, "has an item that is no plain value", "list plain values")
				return
			}
			e.list = append(e.list, item.Value)
		}
	default:
		e.text = n.Value
	}
	if path != "" {
		p.entries[path] = e
	}
}

func (p *fileParser) mapping(n *yaml.Node, path string, depth int) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := join2(path, name.Value)
		switch {
		case name.Kind != yaml.ScalarNode || name.Value == "":
			p.wrong(name, path, "has a key that is no plain name", "give a name")
			continue
		case strings.Contains(name.Value, "."):
			p.wrong(name, at, "has a dot in its name", "nest it, as in http: {addr: \":8080\"}")
			continue
		case seen[name.Value]:
			p.wrong(name, at, "stands here twice", "keep one")
			continue
		}
		seen[name.Value] = true
		p.node(value, at, depth+1)
		if e, ok := p.entries[at]; ok {
			e.line, e.column = name.Line, name.Column // a key is where its name is
			p.entries[at] = e
		}
	}
}
