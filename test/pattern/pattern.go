// Package pattern reads the catalogue of patterns, docs/patterns/README.md: what the platform shows, where its code is, and
// which tests prove it. The document is the only place that says so; test/docs checks that what it names exists, and test/proofs
// that what it names ran.
//
//	catalogue, err := pattern.Read(os.DirFS("."))
//
// The table of a pattern that is shown has the columns number, pattern, code, proof and page; that of one that is not, number,
// pattern and what is there. A proof is a package and a test, `chassis/outbox` `TestSQLiteConforms/a late commit`, and what runs
// it where that is not make verify: (make mesh-proof).
package pattern

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// File is where the catalogue is, from the root of the platform.
const File = "docs/patterns/README.md"

// Verify is the target that runs a proof about which nothing else is said.
const Verify = "make verify"

// Catalogue is all patterns, in the order of their numbers.
type Catalogue struct {
	Shown   []Row
	Missing []Row // with a number and a name only
}

// Row is a pattern.
type Row struct {
	Line   int // in File
	Number int
	Name   string
	Code   []string // targets of links
	Proofs []Proof
	Page   string // target of a link
}

// String says which row it is.
func (r Row) String() string { return fmt.Sprintf("row %d, %s", r.Number, r.Name) }

// Proof is a test.
type Proof struct {
	Package string // its folder, from the root of the platform
	Test    string // as go test -run takes it: with the names of subtests after slashes, spaces as they are in the source
	By      string // the target that runs it
}

// String names the test as a person would run it.
func (p Proof) String() string { return p.Package + " " + p.Test }

// ID is the name that the testing package gives to the test.
func (p Proof) ID() string { return strings.ReplaceAll(p.Test, " ", "_") }

// Read reads the catalogue of the platform whose root is the file system's.
func Read(root fs.FS) (Catalogue, error) {
	text, err := fs.ReadFile(root, File)
	if err != nil {
		return Catalogue{}, fmt.Errorf("read the catalogue of patterns: %w", err)
	}
	return Parse(string(text))
}

var (
	firstCell = regexp.MustCompile(`^\| *\d+ *\|`)
	linked    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	proof     = regexp.MustCompile("`([a-z0-9/_.-]+)` `(Test[^`]+)`(?: \\((make [a-z0-9-]+)\\))?")
)

// Parse reads the text of the document. An error names the line.
func Parse(text string) (Catalogue, error) {
	var c Catalogue
	for i, line := range strings.Split(text, "\n") {
		if !firstCell.MatchString(line) {
			continue
		}
		row, err := parse(line)
		row.Line = i + 1
		if err != nil {
			return c, fmt.Errorf("%s:%d: %w", File, row.Line, err)
		}
		if row.Page == "" {
			c.Missing = append(c.Missing, row)
		} else {
			c.Shown = append(c.Shown, row)
		}
	}
	if len(c.Shown) == 0 {
		return c, fmt.Errorf("%s has no table of patterns", File)
	}
	return c, nil
}

func parse(line string) (Row, error) {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	number, _ := strconv.Atoi(cells[0]) // firstCell lets only numbers through
	row := Row{Number: number}
	if len(cells) > 1 {
		row.Name = cells[1]
	}
	if row.Name == "" {
		return row, fmt.Errorf("pattern %d has no name", number)
	}
	switch len(cells) {
	case 3:
		return row, nil
	case 5:
	default:
		return row, fmt.Errorf("%s: %d cells, and the tables have 5, or 3 where nothing is shown", row, len(cells))
	}
	for _, match := range linked.FindAllStringSubmatch(cells[2], -1) {
		row.Code = append(row.Code, match[1])
	}
	for _, match := range proof.FindAllStringSubmatch(cells[3], -1) {
		by := match[3]
		if by == "" {
			by = Verify
		}
		row.Proofs = append(row.Proofs, Proof{Package: match[1], Test: match[2], By: by})
	}
	if match := linked.FindStringSubmatch(cells[4]); match != nil {
		row.Page = match[1]
	}
	switch {
	case len(row.Code) == 0:
		return row, fmt.Errorf("%s has no link to its code", row)
	case len(row.Proofs) == 0:
		return row, fmt.Errorf("%s names no test that proves it: `package` `Test`", row)
	case strings.Count(cells[3], "`") != 4*len(row.Proofs):
		return row, fmt.Errorf("%s: what proves it is not all of the form `package` `Test`, or `package` `Test` (make target)", row)
	case row.Page == "":
		return row, fmt.Errorf("%s has no link to its page", row)
	}
	return row, nil
}
