package cli

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

const migrationUp = ".up.sql"

// owedMigrations tells, for each migration that is left as it was applied, which columns the service now has that no migration
// beside it names: a person must write that one.
func (s *session) owedMigrations(p *plan.Plan) ([]string, error) {
	var hints []string
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Wanted == nil || !strings.HasSuffix(a.Path, migrationUp) {
			continue
		}
		there, err := s.migrations(path.Dir(a.Path))
		if err != nil {
			return nil, err
		}
		if columns := owedColumns(string(a.Wanted), string(a.Old), there); len(columns) > 0 {
			hints = append(hints, fmt.Sprintf("%s: the columns changed, but %s was left as applied: add a new migration for: %s",
				a.Owner, strings.TrimPrefix(a.Path, a.Owner+"/"), strings.Join(columns, ", ")))
		}
	}
	return hints, nil
}

// migrations is the text of all ways up in a folder.
func (s *session) migrations(dir string) (string, error) {
	entries, err := s.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), migrationUp) {
			continue
		}
		file, err := s.Read(path.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		if file != nil {
			all.Write(file.Content)
			all.WriteByte('\n')
		}
	}
	return all.String(), nil
}

// owedColumns are the lines of the wanted migration that the one there lacks, and whose first word stands in no migration.
func owedColumns(wanted, old, there string) []string {
	definition := func(line string) string { return strings.TrimSuffix(strings.TrimSpace(line), ",") }
	has := map[string]bool{}
	for line := range strings.Lines(old) {
		has[definition(line)] = true
	}
	known := map[string]bool{}
	for _, word := range sqlWord.FindAllString(sqlComment.ReplaceAllString(there, ""), -1) {
		known[strings.ToLower(word)] = true
	}
	var owed []string
	for line := range strings.Lines(sqlComment.ReplaceAllString(wanted, "")) {
		column := definition(line)
		if name := sqlWord.FindString(column); name != "" && !has[column] && !known[strings.ToLower(name)] {
			owed = append(owed, column)
		}
	}
	return owed
}

var (
	sqlWord    = regexp.MustCompile(`[\pL_][\pL\pN_]*`)
	sqlComment = regexp.MustCompile(`--[^\n]*`)
)
