package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// document is a Markdown file of the project.
type document struct {
	path string // relative to the root, with slashes
	text string
}

// block is what a marker asks for: a fence of commands, or the end of one that was started.
type block struct {
	line   int
	marker string // without <!-- and -->
	script string
	shows  []string // lines that its output must have, in this order; … in them stands for anything
}

const root = "../.."

func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/patterns/*.md", "bench/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			relative, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, document{filepath.ToSlash(relative), string(text)})
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no documents")
	}
	return all
}

var (
	commandFence = regexp.MustCompile("^```(sh|bash|shell|console)\\s*$")
	markerLine   = regexp.MustCompile(`^<!-- (run|run exit=\d+|start until="[^"]+"|stop|make|test) -->$`)
	shownFence   = regexp.MustCompile("^```(text|json|http)\\s*$")
)

const showsMarker = "<!-- shows -->"

// blocks finds the markers with their fences. A fence of commands without a marker is an error, and so is a marker alone.
func (d document) blocks() ([]block, error) {
	var all []block
	var pending *block // a marker whose fence has not begun
	shows := 0         // the line of a marker of an output whose fence has not begun
	lines := strings.Split(d.text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		switch match := markerLine.FindStringSubmatch(line); {
		case match != nil && match[1] == "stop":
			all = append(all, block{line: i + 1, marker: "stop"})
		case match != nil:
			pending = &block{line: i + 1, marker: match[1]}
		case line == showsMarker:
			if len(all) == 0 || !strings.HasPrefix(all[len(all)-1].marker, "run") {
				return nil, fmt.Errorf("%s:%d: it is not said which commands show this: put it below a fence with the marker run", d.path, i+1)
			}
			shows = i + 1
		case shows > 0 && shownFence.MatchString(line):
			end := fenceEnd(lines, i)
			all[len(all)-1].shows = shownLines(lines[i+1 : end])
			shows, i = 0, end
		case commandFence.MatchString(line):
			if pending == nil {
				return nil, fmt.Errorf("%s:%d: the commands have no marker in the line above: see test/docs/doc.go", d.path, i+1)
			}
			end := fenceEnd(lines, i)
			pending.script = strings.Join(lines[i+1:end], "\n") + "\n"
			all, pending, i = append(all, *pending), nil, end
		case line != "" && pending != nil:
			return nil, fmt.Errorf("%s:%d: the marker has no commands below it", d.path, pending.line)
		case line != "" && shows > 0:
			return nil, fmt.Errorf("%s:%d: the marker has no output below it, in a fence of text, json or http", d.path, shows)
		}
	}
	return all, nil
}

// fenceEnd is the index of the line that ends the fence that begins at the given one.
func fenceEnd(lines []string, begin int) int {
	end := begin + 1
	for end < len(lines) && strings.TrimSpace(lines[end]) != "```" {
		end++
	}
	return min(end, len(lines))
}

func shownLines(lines []string) (shown []string) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && line != "…" {
			shown = append(shown, line)
		}
	}
	return shown
}

// missing is the first line that should be in an output, after those before it, and is not; empty: there is none.
func (b block) missing(output string) string {
	lines := strings.Split(output, "\n")
	for _, want := range b.shows {
		parts := strings.Split(want, "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		pattern := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		at := slices.IndexFunc(lines, func(line string) bool { return pattern.MatchString(strings.TrimSpace(line)) })
		if at < 0 {
			return want
		}
		lines = lines[at+1:]
	}
	return ""
}

func (b block) exit() int {
	_, text, _ := strings.Cut(b.marker, "exit=")
	code, _ := strconv.Atoi(text) // the marker's pattern lets only numbers through
	return code
}

func TestDocumentsMarkEveryCommand(t *testing.T) {
	for _, d := range documents(t) {
		if _, err := d.blocks(); err != nil {
			t.Error(err)
		}
	}
}

func TestBlocks(t *testing.T) {
	const fence = "```"
	d := document{"x.md", "text\n<!-- run exit=3 -->\n" + fence + "sh\nfalse\ntrue\n" + fence + "\n" +
		fence + "text\nno command\n" + fence + "\n<!-- stop -->\n"}
	got, err := d.blocks()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].script != "false\ntrue\n" || got[0].exit() != 3 || got[1].marker != "stop" {
		t.Errorf("blocks = %+v", got)
	}
	for name, text := range map[string]string{
		"no marker":         fence + "sh\nmake\n" + fence,
		"no commands":       "<!-- run -->\ntext",
		"output of nothing": "<!-- shows -->\n" + fence + "text\nx\n" + fence,
		"no output":         "<!-- run -->\n" + fence + "sh\ntrue\n" + fence + "\n<!-- shows -->\ntext",
	} {
		if _, err := (document{"x.md", text}).blocks(); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestShownOutputIsFoundInItsOrder(t *testing.T) {
	const fence = "```"
	d := document{"x.md", "<!-- run -->\n" + fence + "sh\ncurl\n" + fence + "\n\nwhich answers\n\n<!-- shows -->\n" + fence + "http\nHTTP/1.1 …\n…\n{\"a\":…}\n" + fence}
	got, err := d.blocks()
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	for output, missing := range map[string]string{
		"HTTP/1.1 200 OK\r\nX: y\n\n{\"a\":1}\n": "",
		"{\"a\":1}\nHTTP/1.1 200 OK\n":           `{"a":…}`,
		"HTTP/1.0 200 OK\n{\"a\":1}":             "HTTP/1.1 …",
	} {
		if got := got[0].missing(output); got != missing {
			t.Errorf("in %q %q is missing, want %q", output, got, missing)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestDocumentsLinkOnlyToWhatExists(t *testing.T) {
	for _, d := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(fenced.ReplaceAllString(d.text, ""), -1) {
			if strings.Contains(match[1], "://") {
				continue // other sites are not asked
			}
			if err := d.follow(match[1]); err != nil {
				t.Errorf("%s: %v", d.path, err)
			}
		}
	}
}

func (d document) follow(target string) error {
	path, anchor, _ := strings.Cut(target, "#")
	text := d.text
	if path != "" {
		full := filepath.Join(root, filepath.Dir(d.path), path)
		info, err := os.Stat(full)
		if err != nil {
			return fmt.Errorf("the link %s leads nowhere", target)
		}
		if anchor == "" || info.IsDir() {
			return nil
		}
		content, err := os.ReadFile(full)
		if err != nil {
			return err
		}
		text = string(content)
	}
	if anchor != "" && !bytes.Contains(slugs(text), []byte("\n"+anchor+"\n")) {
		return fmt.Errorf("the link %s leads to no heading", target)
	}
	return nil
}

// slugs are the anchors of a text's headings, one a line.
func slugs(text string) []byte {
	out := []byte("\n")
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(match[1]), "")
		out = append(out, strings.ReplaceAll(slug, " ", "-")+"\n"...)
	}
	return out
}
