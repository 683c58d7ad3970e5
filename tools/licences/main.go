// Command licences checks that everything that is built into the project comes under a permissive licence. It asks the go
// command which modules the packages and tests of the given folders are built from, and reads their licence files in the
// module cache. Development tools are run, not built in, so their modules are not asked about.
//
//	licences [-tests folder] folder...
//
// The folder of -tests holds tests alone, whose programs are given to nobody. Modules that are needed there and nowhere else
// may come under MPL-2.0, too: it asks for the source of changed files of those to whom the program is given. They are named.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
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

// forTests may come besides for what is needed by tests alone.
const forTests = "MPL-2.0"

// parts are texts that come along with a licence and grant or say something else, such as the licence of the documentation.
var parts = []string{"BSD-2-Clause-Views", "CC-BY-4.0", "PatentsGrant", "GooglePatentsFile", "GooglePatentClause"}

// minimum is the share of a licence file, in percent, that must be text of known licences.
const minimum = 75

func main() {
	log.SetFlags(0)
	log.SetPrefix("licences: ")
	tests := flag.String("tests", "", "folder with tests alone, whose modules may come under "+forTests+", too")
	flag.Parse()
	folders := flag.Args()
	if len(folders) == 0 {
		folders = []string{"."}
	}
	built, tested := map[string]string{}, map[string]string{}
	for _, folder := range folders {
		if err := list(folder, built); err != nil {
			log.Fatal(err)
		}
	}
	if *tests != "" {
		if err := list(*tests, tested); err != nil {
			log.Fatal(err)
		}
	}
	for module := range built {
		delete(tested, module)
	}
	_, wrong := sift(built, permissive)
	excepted, more := sift(tested, append(slices.Clone(permissive), forTests))
	wrong = append(wrong, more...)
	for _, complaint := range wrong {
		log.Print(complaint)
	}
	if len(wrong) > 0 {
		log.Fatalf("%d of %d modules may not be used: remove them, or add the licence to tools/licences if it is permissive", len(wrong), len(built)+len(tested))
	}
	fmt.Printf("licences: %d modules, all permissive\n", len(built))
	if *tests != "" {
		fmt.Printf("licences: %d more for tests, permissive but for %s: %s\n", len(tested), forTests, strings.Join(excepted, ", "))
	}
}

// sift checks the modules. It gives those that come under forTests, and what is wrong with the others.
func sift(modules map[string]string, allowed []string) (excepted, wrong []string) {
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		ids, err := check(modules[module], allowed)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", module, err))
		}
		if slices.Contains(ids, forTests) {
			excepted = append(excepted, module)
		}
	}
	return excepted, wrong
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
func check(dir string, allowed []string) ([]string, error) {
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
		ids, err := identify(text, allowed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		found = append(found, ids...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func identify(text []byte, allowed []string) ([]string, error) {
	coverage := licensecheck.Scan(text)
	var ids []string
	for _, match := range coverage.Match {
		switch {
		case slices.Contains(allowed, match.ID):
			ids = append(ids, match.ID)
		case !slices.Contains(parts, match.ID):
			return nil, fmt.Errorf("%s is none of the licences that may be used here", match.ID)
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
