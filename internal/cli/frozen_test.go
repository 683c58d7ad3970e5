package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOwedColumns(t *testing.T) {
	const old = "CREATE TABLE \"orders\" (\n    id text PRIMARY KEY,\n    name text NOT NULL\n);\n"
	const wanted = "CREATE TABLE \"orders\" (\n    id text PRIMARY KEY,\n    name text NOT NULL,\n    product_id text,\n    user_id text\n);\n"
	tests := []struct {
		name, wanted, more string
		want               []string
	}{
		{"two new columns", wanted, "", []string{"product_id text", "user_id text"}},
		{"one has its migration", wanted, `ALTER TABLE "orders" ADD COLUMN "Product_ID" text;`, []string{"user_id text"}},
		{"both have", wanted, "ALTER TABLE orders ADD product_id text, ADD user_id text;", nil},
		{"only spoken of", wanted, "-- not yet: product_id, user_id\n", []string{"product_id text", "user_id text"}},
		{"a longer name is another", wanted, "ALTER TABLE orders ADD old_product_id text, ADD user_id text;", []string{"product_id text"}},
		{"in another table", wanted, "CREATE TABLE reviews (product_id text, user_id text);", []string{"product_id text", "user_id text"}},
		{"in a block comment", wanted, "/* todo: /* soon */ ALTER TABLE orders ADD product_id text; */", []string{"product_id text", "user_id text"}},
		{"in a string", wanted, "INSERT INTO notes VALUES ('; ALTER TABLE orders ADD product_id text;');", []string{"product_id text", "user_id text"}},
		{"in the body of a function", wanted, "DO $do$ BEGIN ALTER TABLE orders ADD product_id text; END $do$;", []string{"product_id text", "user_id text"}},
		{"added and dropped", wanted, "ALTER TABLE orders ADD product_id text, ADD user_id text; ALTER TABLE orders DROP COLUMN IF EXISTS user_id;", []string{"user_id text"}},
		{"dropped and added", wanted, "ALTER TABLE orders DROP name; ALTER TABLE ONLY public.orders ADD COLUMN IF NOT EXISTS name text, ADD product_id text, ADD user_id text", nil},
		{"renamed", wanted, "ALTER TABLE orders RENAME COLUMN name TO product_id;", []string{"name text NOT NULL", "user_id text"}},
		{"a constraint of its name", wanted, "ALTER TABLE orders ADD CONSTRAINT product_id CHECK (user_id > 0);", []string{"product_id text", "user_id text"}},
		{"between the marks of bun", wanted, "--bun:split\nALTER TABLE orders ADD product_id numeric(10, 2)\n--bun:split\nALTER TABLE orders ADD user_id text", nil},
		{"the table made anew", wanted, "DROP TABLE orders; CREATE TABLE IF NOT EXISTS orders (id text, name text, product_id text DEFAULT ',', PRIMARY KEY (user_id));", []string{"user_id text"}},
		{"the table under its new name", "CREATE TABLE \"invoices\" (id text, total text);", "ALTER TABLE orders RENAME TO invoices;", []string{"total text"}},
		{"another table", "CREATE TABLE \"invoices\" (id text);", "", []string{"table invoices"}},
		{"a column less", "CREATE TABLE \"orders\" (\n    id text PRIMARY KEY\n);\n", "", nil},
		{"other words for the same", "-- Orders.\n\ncreate table \"orders\" (\n\tid text PRIMARY KEY,\n\tname text NOT NULL\n);\n", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, owedColumns(tt.wanted, old+tt.more, false)); diff != "" {
				t.Errorf("owed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwedColumnsOfATableThatAPersonLeftOut(t *testing.T) {
	if owed := owedColumns("CREATE TABLE invoices (id text);", "CREATE TABLE bills (id text);", true); owed != nil {
		t.Errorf("owed: %q", owed)
	}
}

func FuzzTablesOf(f *testing.F) {
	f.Add("CREATE TABLE a (b text, /* c */ d numeric(1, 2)); ALTER TABLE a DROP b, ADD \"e\" text; --")
	f.Add("$a$ ; $a$ ' $ \" ` ( , ) /* /* */ \xff")
	f.Fuzz(func(t *testing.T, sql string) {
		for _, table := range tablesOf(sql) {
			if table == nil {
				t.Errorf("%q: no table", sql)
			}
		}
	})
}
