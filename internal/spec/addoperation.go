package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// NewOperation is an operation to be added to a contract.
type NewOperation struct {
	ID      string
	Method  string // GET, POST, PUT, PATCH or DELETE
	Path    string // /v1/orders/{id}
	Summary string // empty for the ID as a sentence
}

var (
	pathPattern  = whole(`(/([A-Za-z0-9._~-]+|\{[a-zA-Z][A-Za-z0-9]*\}))+`)
	pathVariable = regexp.MustCompile(`\{([^}]*)\}`)
	addable      = []string{"get", "post", "put", "patch", "delete"}
)

// AddOperation adds an operation to the text of an OpenAPI document, with its path parameters, a body where the method has
// one, and answers. Comments, order and formatting stay as they are. The body and the answer are empty objects, to be filled
// in by hand; an action on a thing, such as POST /v1/orders/{id}/cancel, has neither. The errors are those of the document's
// component Problem, where it has one.
func AddOperation(contract []byte, op NewOperation) ([]byte, error) {
	if err := op.check(contract); err != nil {
		return nil, fmt.Errorf("add the operation %s: %w", op.ID, err)
	}
	t, err := openText(contract, maxContract)
	if err != nil {
		return nil, err
	}
	block := op.lines(t.root)
	want, err := op.meaning(t.root, block)
	if err == nil {
		err = op.splice(t, block)
	}
	var edited []byte
	if err == nil {
		edited, err = t.finish(want)
	}
	if err != nil {
		return nil, fmt.Errorf("add the operation %s: %w", op.ID, err)
	}
	return edited, nil
}

func (op NewOperation) check(contract []byte) error {
	c, problems := parseContract("", contract)
	if err := problems.Err(); err != nil {
		return err
	}
	if f := (rules{is: "operation"}).text(op.ID); f != nil {
		return fmt.Errorf("the operationId %s: %s", f.message, f.remedy)
	}
	if !slices.Contains(addable, strings.ToLower(op.Method)) {
		return fmt.Errorf("the method %s cannot be added: use one of %s", op.Method, strings.ToUpper(strings.Join(addable, ", ")))
	}
	if !pathPattern.MatchString(op.Path) {
		return fmt.Errorf("the path %q is not of the form /v1/things/{id}", op.Path)
	}
	for _, other := range c.Operations {
		if strings.EqualFold(other.ID, op.ID) || other.Method == strings.ToUpper(op.Method) && shape(other.Path) == shape(op.Path) {
			return fmt.Errorf("the contract has %s, %s %s, on line %d already", other.ID, other.Method, other.Path, other.Position.Line)
		}
	}
	return nil
}

// shape is a path without the names of its variables.
func shape(path string) string { return pathVariable.ReplaceAllString(path, "{}") }

// lines writes the value of the method's key.
func (op NewOperation) lines(root *yaml.Node) []string {
	method := strings.ToLower(op.Method)
	lines := []string{"operationId: " + scalar(op.ID), "summary: " + plain(either(op.Summary, sentence(op.ID)))}
	if variables := pathVariable.FindAllStringSubmatch(op.Path, -1); variables != nil {
		lines = append(lines, "parameters:")
		for _, v := range variables {
			lines = append(lines, fmt.Sprintf("  - {name: %s, in: path, required: true, schema: {type: string}}", scalar(v[1])))
		}
	}
	acts := method == "post" && op.acts()
	if method == "post" && !acts || method == "put" || method == "patch" {
		lines = append(lines, "requestBody:", "  required: true", "  content:", "    application/json:", "      schema: {type: object}")
	}
	lines = append(lines, "responses:")
	if method == "delete" || acts {
		lines = append(lines, `  "204": {description: Done.}`)
	} else {
		status := "200"
		if method == "post" {
			status = "201"
		}
		lines = append(lines, fmt.Sprintf("  %q:", status),
			"    description: Done.", "    content:", "      application/json:", "        schema: {type: object}")
	}
	return append(lines, problemAnswer(root)...)
}

// acts reports whether the path ends in something to do with a thing, as in /v1/orders/{id}/cancel, and not in things to be
// made, as in /v1/orders/{id}/lines.
func (op NewOperation) acts() bool {
	parts := strings.Split(op.Path, "/")
	last, thing := parts[len(parts)-1], parts[len(parts)-2]
	if isParameter(last) || !isParameter(thing) {
		return false
	}
	verb, _, _ := strings.Cut(words(op.ID), " ")
	if does, _, _ := strings.Cut(last, "-"); does == verb {
		return true
	}
	things := strings.HasSuffix(last, "s") && !strings.HasSuffix(last, "ss")
	return !things && !slices.Contains([]string{"add", "attach", "create", "make", "new", "open", "post", "register", "upload"}, verb)
}

// sentence says what an operation does by its ID: cancelOrder gives "Cancel order."
func sentence(id string) string {
	text := words(id)
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// words writes an operationId as words, all but initialisms in lower case: getHTTPStatus gives "get HTTP status".
func words(id string) string {
	id = wordEnd.ReplaceAllString(id, "$1 $2")
	parts := strings.Fields(initialismEnd.ReplaceAllString(id, "$1 $2"))
	for i, part := range parts {
		if len(part) == 1 || strings.ToUpper(part) != part {
			parts[i] = strings.ToLower(part)
		}
	}
	return strings.Join(parts, " ")
}

var (
	wordEnd       = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	initialismEnd = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
)

// problemAnswer writes the answer for errors that the document has a component for.
func problemAnswer(root *yaml.Node) []string {
	_, components := lookup(root, "components")
	if components == nil {
		return nil
	}
	if _, responses := lookup(components, "responses"); responses != nil {
		if _, problem := lookup(responses, "Problem"); problem != nil {
			return []string{`  default: {$ref: "#/components/responses/Problem"}`}
		}
	}
	if _, schemas := lookup(components, "schemas"); schemas != nil {
		if _, problem := lookup(schemas, "Problem"); problem != nil {
			return []string{"  default:", "    description: What went wrong.", "    content:", "      application/problem+json:",
				`        schema: {$ref: "#/components/schemas/Problem"}`}
		}
	}
	return nil
}

func (op NewOperation) meaning(root *yaml.Node, block []string) (any, error) {
	var values, operation map[string]any
	if err := root.Decode(&values); err != nil {
		return nil, fmt.Errorf("read the contract's values: %w", err)
	}
	if err := yaml.Unmarshal([]byte(strings.Join(block, "\n")), &operation); err != nil {
		return nil, fmt.Errorf("write the operation: %w", err)
	}
	paths, ok := values["paths"].(map[string]any)
	if !ok {
		return nil, ErrNotEdited
	}
	item, ok := paths[op.Path].(map[string]any)
	if !ok {
		item = map[string]any{}
		paths[op.Path] = item
	}
	item[strings.ToLower(op.Method)] = operation
	return values, nil
}

func (op NewOperation) splice(t *text, block []string) error {
	method := strings.ToLower(op.Method)
	owner, paths := lookup(t.root, "paths")
	if key, item := lookup(paths, op.Path); item != nil {
		return t.insertKey(key, item, method, value{block: reindent(block, t.step)}, nil)
	}
	lines := []string{method + ":"}
	for _, line := range reindent(block, t.step) {
		lines = append(lines, strings.Repeat(" ", t.step)+line)
	}
	return t.insertKey(owner, paths, op.Path, value{block: lines}, nil)
}

// reindent turns the two blanks of a level into the file's own number.
func reindent(lines []string, step int) []string {
	written := make([]string, len(lines))
	for i, line := range lines {
		bare := strings.TrimLeft(line, " ")
		written[i] = strings.Repeat(" ", (len(line)-len(bare))/2*step) + bare
	}
	return written
}
