//go:build real

package cluster

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/trellis-mesh/trellis/test/real"
)

func TestDatabasesOfHostileNames(t *testing.T) {
	location := real.Postgres(t)
	admin, err := pgx.Connect(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for _, name := range []string{
		"orders", "order-lines", `x"; DROP ROLE postgres; --`, `x' OR '1'='1`, "SELECT", "UPPER Case", "ünï", `back\slash`, strings.Repeat("n", 63),
	} {
		for _, secret := range []string{password(), password()} { // the second time, only the password is new
			if err := makeDatabase(t.Context(), admin, name, secret); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
		var owner, encoding string
		var super, login, public bool
		err := admin.QueryRow(t.Context(), `
			SELECT r.rolname, pg_encoding_to_char(d.encoding), r.rolsuper OR r.rolcreatedb OR r.rolcreaterole, r.rolcanlogin,
				has_database_privilege('public', d.oid, 'CONNECT') OR has_database_privilege('public', d.oid, 'TEMPORARY')
			FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1`, name).Scan(&owner, &encoding, &super, &login, &public)
		if err != nil || owner != name || encoding != "UTF8" || super || !login || public {
			t.Errorf("%q: owner %q, encoding %s, rights over others %t, may log in %t, open to all %t, %v", name, owner, encoding, super, login, public, err)
		}
	}
}

func TestRoleOpensNoDatabaseButItsOwn(t *testing.T) {
	location := real.Postgres(t)
	admin, err := pgx.Connect(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for _, name := range []string{"open-mine", "open-theirs"} {
		if err := makeDatabase(t.Context(), admin, name, password()); err != nil {
			t.Fatal(err)
		}
	}
	as := func(role, database string) error {
		config, err := pgx.ParseConfig(location)
		if err != nil {
			t.Fatal(err)
		}
		config.User, config.Database = role, database
		connection, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			return err
		}
		defer connection.Close(t.Context())
		_, err = connection.Exec(t.Context(), "CREATE TABLE mine (id int)")
		return err
	}
	if err := as("open-mine", "open-mine"); err != nil {
		t.Errorf("its own: %v", err)
	}
	mustSay(t, as("open-mine", "open-theirs"), "permission denied for database")
}
