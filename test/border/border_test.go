package border

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/modfile"

	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../.."

// platform is what Check is given for this repository.
func platform(t *testing.T) (module string, names []string) {
	t.Helper()
	file, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range model.Services {
		names = append(names, s.Name)
	}
	return modfile.ModulePath(file), names
}

func TestServicesKeepToThemselves(t *testing.T) {
	module, names := platform(t)
	faults, err := Check(os.DirFS(root), module, names)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// What the check sees must be what there is: each service with a database has tables, and uses them.
func TestTablesOfEveryServiceAreSeen(t *testing.T) {
	module, names := platform(t)
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		c := &check{root: os.DirFS(root), module: module, tables: map[string][]string{}}
		if c.tables[name], err = c.created("services/" + name); err != nil {
			t.Fatal(err)
		}
		if err := c.service(name); err != nil {
			t.Fatal(err)
		}
		has := model.Service(name).Database.Kind == "postgres"
		if has != (len(c.tables[name]) > 0) || has != (c.names > 0) {
			t.Errorf("%s: database %v, %d tables, named %d times", name, has, len(c.tables[name]), c.names)
		}
	}
}

func TestSeededFaultsAreFound(t *testing.T) {
	own := map[string]string{
		"services/orders/migrations/1_init.up.sql":   "-- FROM nowhere\nCREATE TABLE \"orders\" (id text PRIMARY KEY);\nCREATE INDEX of_orders ON \"orders\" (id);",
		"services/payments/migrations/1_init.up.sql": "CREATE TABLE IF NOT EXISTS payments (id text);",
		"services/orders/store.go": "package orders\n\ntype row struct {\n\tbase `bun:\"table:orders,alias:o\"`\n}\n\n" +
			"const list = `WITH last AS (SELECT id FROM orders) SELECT * FROM last JOIN generate_series(1, 2) ON true FOR UPDATE SKIP LOCKED`\n\n" +
			"var prose = \"update the payments that came from payments\"\n",
		"services/payments/payments.go":       "package payments\n",
		"services/orders/other_test.go":       "package orders\n\nimport _ \"example.com/shop/services/payments/paymentstest\"\n\nconst _ = \"SELECT FROM payments\"\n",
		"services/orders/.scaffold/old.go":    "package old\n\nconst _ = \"SELECT FROM payments\"\n",
		"services/payments/internal/x/x.go":   "package x\n",
		"services/payments/internal/x/y.go":   "package x\n\nimport _ \"example.com/shop/services/orders/api\"\n",
		"services/payments/testdata/note.txt": "FROM orders",
	}
	for name, test := range map[string]struct{ file, text, want string }{
		"nothing":                    {"services/orders/a.go", "package orders\n", ""},
		"another's internals":        {"services/orders/a.go", "package orders\n\nimport _ \"example.com/shop/services/payments/internal/x\"\n", "only the api"},
		"another's migrations":       {"services/orders/a.go", "package orders\n\nimport _ \"example.com/shop/services/payments/migrations\"\n", "only the api"},
		"internals in a test":        {"services/orders/a_test.go", "package orders\n\nimport _ \"example.com/shop/services/payments/internal/x\"\n", "only the api"},
		"a test's double in earnest": {"services/orders/a.go", "package orders\n\nimport _ \"example.com/shop/services/payments/paymentstest\"\n", "only the api"},
		"a model of another":         {"services/orders/a.go", "package orders\n\ntype p struct {\n\tbase `bun:\"table:payments\"`\n}\n", "payments is a table of payments"},
		"a query of another":         {"services/orders/a.go", "package orders\n\nconst q = `SELECT * FROM orders JOIN payments USING (id)`\n", "payments is a table of payments"},
		"a quoted name":              {"services/orders/a.go", "package orders\n\nconst q = `UPDATE \"payments\" SET id = ?`\n", "payments is a table of payments"},
		"a table by name":            {"services/orders/a.go", "package orders\n\nfunc f(q query) { q.Table(\"payments\") }\n", "payments is a table of payments"},
		"an expression":              {"services/orders/a.go", "package orders\n\nfunc f(q query) { q.TableExpr(\"payments AS p\") }\n", "payments is a table of payments"},
		"another schema":             {"services/orders/a.go", "package orders\n\nconst q = `DELETE FROM payments.payments`\n", "payments.payments is no table"},
		"a foreign key":              {"services/orders/migrations/2.up.sql", "ALTER TABLE orders ADD COLUMN p text REFERENCES payments (id);", "payments is a table of payments"},
		"a view of another":          {"services/orders/migrations/2.up.sql", "CREATE VIEW paid AS SELECT id FROM payments;", "payments is a table of payments"},
		"an index on another":        {"services/orders/migrations/2.up.sql", "CREATE INDEX i ON payments (id);", "payments is a table of payments"},
		"another file of SQLite":     {"services/orders/a.go", "package orders\n\nconst q = `ATTACH DATABASE 'payments.db' AS p`\n", "reaches into another database"},
		"another server":             {"services/orders/migrations/2.up.sql", "CREATE EXTENSION postgres_fdw;", "reaches into another database"},
		"a database by itself":       {"services/orders/a.go", "package orders\n\nimport \"database/sql\"\n\nvar db, _ = sql.Open(\"x\", \"y\")\n", "sql.Open: the chassis opens"},
		"a driver":                   {"services/orders/a.go", "package orders\n\nimport _ \"github.com/jackc/pgx/v5\"\n", "the chassis opens"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for file, text := range own {
				files[file] = &fstest.MapFile{Data: []byte(text)}
			}
			files[test.file] = &fstest.MapFile{Data: []byte(test.text)}
			faults, err := Check(files, "example.com/shop", []string{"orders", "payments"})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(faults) > 0:
				t.Errorf("found %q, and nothing is wrong", faults)
			case test.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], test.want) || !strings.HasPrefix(faults[0], test.file)):
				t.Errorf("found %q, want %q in %s", faults, test.want, test.file)
			}
		})
	}
}
