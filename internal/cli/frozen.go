package cli

import (
	"fmt"
	"path"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

const migrationUp = ".up.sql"

// owedMigrations tells, for each migration that is left as it was applied, which columns the service now has that no migration
// beside it brings: a person must write that one.
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
		edited := a.Base == nil || a.Base.Hash != plan.Hash(a.Old)
		if columns := owedColumns(string(a.Wanted), there, edited); len(columns) > 0 {
			hints = append(hints, fmt.Sprintf("%s: the columns changed, but %s was left as applied: add a new migration for: %s",
				a.Owner, strings.TrimPrefix(a.Path, a.Owner+"/"), strings.Join(columns, ", ")))
		}
	}
	return hints, nil
}

// migrations is the text of all ways up in a folder, in their order.
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
			all.WriteString("\n;\n")
		}
	}
	return all.String(), nil
}

// owedColumns are the columns that the wanted migration has and the tables of those there lack. A table that is not there at all
// is owed as a whole, unless a person who edited the migration left it out.
func owedColumns(wanted, there string, edited bool) []string {
	tables := tablesOf(there)
	var owed []string
	for _, want := range tablesOf(wanted) {
		has := tables.find(want.name)
		if has == nil {
			if !edited {
				owed = append(owed, "table "+want.name)
			}
			continue
		}
		for _, column := range want.columns {
			if !has.has(column.name) {
				owed = append(owed, column.definition)
			}
		}
	}
	return owed
}
