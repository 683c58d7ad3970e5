// Command tracked checks the files that git tracks, and those it would, for what must not stand in them: paths of the
// machine that somebody works on, and hosts of package registries, which belong to the environment of whoever builds; and built
// programs, which a go build in the wrong folder leaves behind.
// A line that must hold one says so with "tracked:allow".
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

type rule struct {
	name    string
	pattern *regexp.Regexp
}

// rules do not match their own source, because every dot and slash in them is followed by something else.
var rules = []rule{
	{"a path of a machine", regexp.MustCompile(`(^|[^\w.:/-])/(root\b|home/[a-z][\w-]*|Users/\w+|work/\w+)`)},
	{"a host of a package registry", regexp.MustCompile(
		`(proxy|sum)\.golang\.org|registry\.npmjs\.org|(^|\W)pypi\.org|files\.pythonhosted\.org|(static\.)?crates\.io|repo1?\.maven\.(apache\.)?org|(deb|security)\.debian\.org`)},
}

const allowed = "tracked:" + "allow"

// programs begin like this on Linux, macOS and Windows.
var programs = []string{"\x7fELF", "\xcf\xfa\xed\xfe", "MZ"}

// users are home folders that exist in container images, not on somebody's machine.
var users = regexp.MustCompile(`/home/nonroot\b`)

func main() {
	log.SetFlags(0)
	log.SetPrefix("tracked: ")
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	files, err := list(root)
	if err != nil {
		log.Fatal(err)
	}
	wrong := 0
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue // deleted in the work tree, or a link to nowhere
		}
		for _, found := range check(text) {
			fmt.Printf("%s:%s\n", file, found)
			wrong++
		}
	}
	if wrong > 0 {
		log.Fatalf("%d lines hold what belongs to one machine: take it from the environment, or mark the line with %s", wrong, allowed)
	}
	fmt.Printf("tracked: %d files, none names a machine's path or a registry\n", len(files))
}

func list(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the tracked files: %w", err)
	}
	return strings.FieldsFunc(string(output), func(r rune) bool { return r == 0 }), nil
}

// check returns what is wrong in a text, as "line: what: the line".
func check(text []byte) []string {
	for _, magic := range programs {
		if bytes.HasPrefix(text, []byte(magic)) {
			return []string{"1: a built program"}
		}
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil // not text
	}
	var found []string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(users.ReplaceAll(line, nil))
		for _, rule := range rules {
			if rule.pattern.Match(line) && !bytes.Contains(line, []byte(allowed)) {
				found = append(found, fmt.Sprintf("%d: %s: %s", number, rule.name, line))
			}
		}
	}
	return found
}
