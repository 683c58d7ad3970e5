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
		{"a column less", "CREATE TABLE \"orders\" (\n    id text PRIMARY KEY\n);\n", "", nil},
		{"other words for the same", "-- Orders.\n\ncreate table \"orders\" (\n\tid text PRIMARY KEY,\n\tname text NOT NULL\n);\n", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, owedColumns(tt.wanted, old, old+tt.more)); diff != "" {
				t.Errorf("owed (-want +got):\n%s", diff)
			}
		})
	}
}
