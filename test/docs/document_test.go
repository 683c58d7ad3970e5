package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
)

// blocks finds the markers with their fences. A fence of commands without a marker is an error, and so is a marker alone.
func (d document) blocks() ([]block, error) {
	var all []block
	var pending *block // a marker whose fence has not begun
	lines := strings.Split(d.text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		switch match := markerLine.FindStringSubmatch(line); {
		case match != nil && match[1] == "stop":
			all = append(all, block{line: i + 1, marker: "stop"})
		case match != nil:
			pending = &block{line: i + 1, marker: match[1]}
		case commandFence.MatchString(line):
			if pending == nil {
				return nil, fmt.Errorf("%s:%d: the commands have no marker in the line above: see test/docs/doc.go", d.path, i+1)
			}
			end := i + 1
			for end < len(lines) && strings.TrimSpace(lines[end]) != "```" {
				end++
			}
			pending.script = strings.Join(lines[i+1:min(end, len(lines))], "\n") + "\n"
			all, pending, i = append(all, *pending), nil, end
		case line != "" && pending != nil:
			return nil, fmt.Errorf("%s:%d: the marker has no commands below it", d.path, pending.line)
		}
	}
	return all, nil
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
		"no marker":   fence + "sh\nmake\n" + fence,
		"no commands": "<!-- run -->\ntext",
	} {
		if _, err := (document{"x.md", text}).blocks(); err == nil {
			t.Errorf("%s passes", name)
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
