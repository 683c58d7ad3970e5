// Command licences checks that everything that is built into the project comes under a permissive licence. It asks the go
// command which modules the packages and tests of the given folders are built from, and reads their licence files in the
// module cache. Development tools are run, not built in, so their modules are not asked about.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// permissive are the SPDX identifiers of the licences that may be built in.
var permissive = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "Unlicense", "Zlib"}

// parts are texts that come along with a licence and grant or say something else, such as the licence of the documentation.
var parts = []string{"BSD-2-Clause-Views", "CC-BY-4.0", "PatentsGrant", "GooglePatentsFile", "GooglePatentClause"}

// minimum is the share of a licence file, in percent, that must be text of known licences.
const minimum = 75

func main() {
	log.SetFlags(0)
	log.SetPrefix("licences: ")
	folders := os.Args[1:]
	if len(folders) == 0 {
		folders = []string{"."}
	}
	modules := map[string]string{}
	for _, folder := range folders {
		if err := list(folder, modules); err != nil {
			log.Fatal(err)
		}
	}
	wrong := 0
	for module, dir := range modules {
		if _, err := check(dir); err != nil {
			log.Printf("%s: %v", module, err)
			wrong++
		}
	}
	if wrong > 0 {
		log.Fatalf("%d of %d modules may not be built in: remove them, or add the licence to tools/licences if it is permissive", wrong, len(modules))
	}
	fmt.Printf("licences: %d modules, all permissive\n", len(modules))
}

// list adds the modules that the packages in folder and their tests are built from, with their folders.
func list(folder string, modules map[string]string) error {
	const format = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-test", "-tags", "real", "-f", format, "./...")
	cmd.Dir = folder
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the modules of %s: %w", folder, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		if module, dir, ok := strings.Cut(lines.Text(), "\t"); ok {
			modules[module] = dir
		}
	}
	return lines.Err()
}

var errNoFile = errors.New("it has no licence file")

// check reads the licence files of a module and returns their identifiers, sorted.
func check(dir string) ([]string, error) {
	files, err := licenceFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errNoFile
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		ids, err := identify(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		found = append(found, ids...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func identify(text []byte) ([]string, error) {
	coverage := licensecheck.Scan(text)
	var ids []string
	for _, match := range coverage.Match {
		switch {
		case slices.Contains(permissive, match.ID):
			ids = append(ids, match.ID)
		case !slices.Contains(parts, match.ID):
			return nil, fmt.Errorf("%s is not a permissive licence", match.ID)
		}
	}
	if len(ids) == 0 || coverage.Percent < minimum {
		return nil, fmt.Errorf("only %.0f %% of it is the text of a known licence", coverage.Percent)
	}
	return ids, nil
}

// licenceName matches the files that hold a module's own licence: LICENSE, LICENCE.txt, COPYING, LICENSE-MIT, and not the
// notices about other people's parts or about a logo that some modules keep beside it.
var licenceName = regexp.MustCompile(`(?i)^(UN)?(LICEN[CS]E|COPYING)([-.](MIT|APACHE|BSD|APACHE-2\.0))?(\.(txt|md|rst))?$`)

func licenceFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && licenceName.MatchString(entry.Name()) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files, nil
}
