//go:build real

package cluster

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/trellis-mesh/trellis/internal/spec"
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
	model, err := spec.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range model.Services {
		if s.Database.Kind == "postgres" {
			names = append(names, s.Name)
		}
		for _, shard := range s.Database.Shards {
			names = append(names, s.Name+"-"+shard)
		}
	}
	if len(names) < 2 {
		t.Fatalf("the services with a database are %q: there is nobody else's to be opened", names)
	}
	for _, name := range names {
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
		_, err = connection.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS mine (id int)")
		return err
	}
	for _, role := range names {
		for _, database := range names {
			err := as(role, database)
			if role != database {
				mustSay(t, err, "permission denied for database")
			} else if err != nil {
				t.Errorf("%s opens its own: %v", role, err)
			}
		}
	}
}

func TestAServiceGetsItsShards(t *testing.T) {
	location := real.Postgres(t)
	admin, err := pgx.Connect(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	p := &Platform{Options: Options{Model: &spec.Model{Platform: &spec.Platform{Namespace: "shop"}}}, client: newAPI(t).client}
	s := &spec.Service{Name: "sharded", Database: spec.Database{Kind: "postgres", Shards: []string{"s1", "s2"}}}
	secret := func() map[string][]byte {
		t.Helper()
		if err := p.prepareStoresOf(t.Context(), s, admin); err != nil {
			t.Fatal(err)
		}
		held, err := p.client.keepSecret(t.Context(), "shop", "sharded-stores", opaque, onePassword)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	first := secret()
	s.Database.Shards = append(s.Database.Shards, "s3") // one more, later
	second := secret()
	if len(first) != 3 || len(second) != 4 {
		t.Errorf("%d keys, then %d", len(first), len(second))
	}
	for key, value := range first {
		if string(second[key]) != string(value) {
			t.Errorf("%s is another when a shard is added", key)
		}
	}
	for key, name := range map[string]string{
		"database-url": "sharded", "shard-s1-url": "sharded-s1", "shard-s2-url": "sharded-s2", "shard-s3-url": "sharded-s3",
	} {
		location, err := url.Parse(string(second[key]))
		if err != nil || location.Path != "/"+name || location.User.Username() != name {
			t.Errorf("%s is %v, %v", key, location, err)
		}
		var owner string
		if err := admin.QueryRow(t.Context(), "SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1", name).Scan(&owner); err != nil || owner != name {
			t.Errorf("the database %s is of %q, %v", name, owner, err)
		}
	}
}
