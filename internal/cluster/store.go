package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/token"
	"github.com/trellis-mesh/trellis/internal/topic"
)

// dataNamespace is where the stores are.
const dataNamespace = "data"

// admins are the secrets that the stores and Grafana are made with.
var admins = []struct{ namespace, name string }{
	{dataNamespace, "postgres-admin"}, {dataNamespace, "redis-admin"}, {observability, "grafana-admin"},
}

// applyEnvironment applies what is not of one service: the mesh's rules, the stores and the telemetry.
func (p *Platform) applyEnvironment(ctx context.Context, say sayer) (string, error) {
	objects, err := p.environmentObjects()
	if err != nil {
		return "", err
	}
	for _, a := range admins {
		if _, err := p.client.keepSecret(ctx, a.namespace, a.name, opaque, onePassword); err != nil {
			return "", err
		}
	}
	if err := p.client.record(ctx, "environment", objects); err != nil {
		return "", err
	}
	if err := p.client.applyAll(ctx, objects, say); err != nil {
		return "", err
	}
	removed, err := p.client.prune(ctx, "environment", objects)
	return fmt.Sprintf("%d objects%s", len(objects), alsoRemoved(removed)), err
}

func alsoRemoved(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d that are declared no more removed", n)
}

// prepareStores waits for the stores and gives each service its own part of them: a database with a role that can open no
// other, and the topics of the declared events.
func (p *Platform) prepareStores(ctx context.Context, say sayer) (string, error) {
	objects, err := p.environmentObjects()
	if err != nil {
		return "", err
	}
	stores := slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetNamespace() != dataNamespace })
	if err := p.client.waitForVolumes(ctx, stores, say); err != nil {
		return "", err
	}
	if err := p.client.waitReady(ctx, stores, say); err != nil {
		return "", err
	}
	databases := 0
	for _, s := range p.Model.Services {
		databases += len(s.Databases())
	}
	var admin *pgx.Conn
	if databases > 0 {
		say("open PostgreSQL")
		connection, closeAdmin, err := p.openPostgres(ctx)
		if err != nil {
			return "", err
		}
		defer closeAdmin()
		admin = connection
	}
	for _, s := range p.Model.Services {
		say("prepare the stores of %s", s.Name)
		if err := p.prepareStoresOf(ctx, s, admin); err != nil {
			return "", fmt.Errorf("prepare the stores of %s: %w", s.Name, err)
		}
	}
	topics := topic.Of(p.Model)
	if len(topics) > 0 {
		say("make %d topics", len(topics))
		if err := p.makeTopics(ctx, topics); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d databases, %d topics", databases, len(topics)), nil
}

// waitForVolumes waits until each claim of the stores has its volume. The provisioner that kind installs can lock itself out when
// it reads its configuration while it is asked for several volumes at once: one that gives none for a while is started anew.
func (c *client) waitForVolumes(ctx context.Context, stores []*unstructured.Unstructured, say sayer) error {
	claimed := claimNames(stores)
	patience := 20 * time.Second // doubled each time: on a slow machine the provisioner needs more
	bounded, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	since := time.Now()
	return until(bounded, time.Second, func(ctx context.Context) error {
		var pending []string
		for _, name := range claimed {
			claim, err := c.dynamic.Resource(volumeClaims).Namespace(dataNamespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil && !gone(err) {
				return err
			}
			if gone(err) {
				pending = append(pending, name)
				continue
			}
			if phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); phase != "Bound" {
				pending = append(pending, name)
			}
		}
		if len(pending) == 0 {
			return nil
		}
		say("wait for volumes: %s", strings.Join(pending, ", "))
		if time.Since(since) > patience {
			since, patience = time.Now(), 2*patience
			err := c.dynamic.Resource(pods).Namespace("local-path-storage").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=local-path-provisioner"})
			if err != nil {
				return err
			}
		}
		return fmt.Errorf("the cluster gives no volume to: %s", strings.Join(pending, ", "))
	})
}

// claimNames are the claims for volumes that StatefulSets will make.
func claimNames(stores []*unstructured.Unstructured) []string {
	var names []string
	for _, o := range stores {
		if o.GetKind() != "StatefulSet" {
			continue
		}
		replicas, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		if !found {
			replicas = 1
		}
		templates, _, _ := unstructured.NestedSlice(o.Object, "spec", "volumeClaimTemplates")
		for _, t := range templates {
			template, _ := t.(map[string]any)
			name, _, _ := unstructured.NestedString(template, "metadata", "name")
			for i := range replicas {
				names = append(names, fmt.Sprintf("%s-%s-%d", name, o.GetName(), i))
			}
		}
	}
	return names
}

// openPostgres opens PostgreSQL as its administrator, past the mesh.
func (p *Platform) openPostgres(ctx context.Context) (*pgx.Conn, func(), error) {
	secret, err := p.client.keepSecret(ctx, dataNamespace, "postgres-admin", opaque, onePassword)
	if err != nil {
		return nil, nil, err
	}
	pod, err := p.client.podOf(ctx, dataNamespace, "app=postgres")
	if err != nil {
		return nil, nil, err
	}
	address, stop, err := p.client.forward(ctx, dataNamespace, pod, 5432)
	if err != nil {
		return nil, nil, err
	}
	location := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", string(secret["password"])), Host: address, Path: "postgres", RawQuery: "sslmode=disable"}
	var connection *pgx.Conn
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = until(bounded, time.Second, func(ctx context.Context) error {
		connection, err = pgx.Connect(ctx, location.String())
		return err
	})
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	return connection, func() {
		_ = connection.Close(context.WithoutCancel(ctx)) // nothing is left to write
		stop()
	}, nil
}

// prepareStoresOf makes the secret of a service and what it opens. The password is set each time, so that a database that
// outlived the secret is opened again.
func (p *Platform) prepareStoresOf(ctx context.Context, s *spec.Service, admin *pgx.Conn) error {
	values := map[string][]byte{}
	for _, name := range s.Databases() {
		values[databaseKey(s, name)] = []byte((&url.URL{
			Scheme: "postgres", User: url.UserPassword(name, password()), Host: "postgres." + dataNamespace + ".svc.cluster.local:5432", Path: name,
			RawQuery: "sslmode=disable", // the sidecars encrypt it, and each shows who it is
		}).String())
	}
	if s.Cache.Kind == "redis" {
		secret, err := p.client.keepSecret(ctx, dataNamespace, "redis-admin", opaque, onePassword)
		if err != nil {
			return err
		}
		values["redis-url"] = []byte((&url.URL{
			Scheme: "redis", User: url.UserPassword("default", string(secret["password"])), Host: "redis." + dataNamespace + ".svc.cluster.local:6379",
		}).String())
	}
	if token.Issuer(p.Model) == s {
		values["tokens-key"], values[clientSecretKey] = []byte(signingSecret()), []byte(password())
	}
	if len(values) == 0 {
		return nil
	}
	namespace, name := p.Model.Platform.Namespace, s.Name+"-stores"
	held, err := p.client.keepSecret(ctx, namespace, name, opaque, func() (map[string][]byte, error) { return values, nil })
	if err != nil {
		return err
	}
	lacks := map[string][]byte{}
	for key, value := range values {
		if _, there := held[key]; !there {
			lacks[key], held[key] = value, value
		}
	}
	if len(lacks) > 0 {
		if err := p.client.addToSecret(ctx, namespace, name, lacks); err != nil {
			return err
		}
	}
	for _, name := range s.Databases() {
		key := databaseKey(s, name)
		location, err := url.Parse(string(held[key]))
		if err != nil {
			return fmt.Errorf("the secret's %s is not a URL", key) // not the error itself: it has the URL
		}
		secret, _ := location.User.Password()
		if err := makeDatabase(ctx, admin, name, secret); err != nil {
			return err
		}
	}
	return nil
}

// databaseKey is where a service's secret has the URL of one of its databases.
func databaseKey(s *spec.Service, database string) string {
	if shard, ok := strings.CutPrefix(database, s.Name+"-"); ok {
		return "shard-" + shard + "-url"
	}
	return "database-url"
}

// makeDatabase makes a role and its database, which no other role but the administrator can open.
func makeDatabase(ctx context.Context, admin *pgx.Conn, name, secret string) error {
	quoted := pgx.Identifier{name}.Sanitize()
	var there bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&there); err != nil {
		return err
	}
	verb := "CREATE"
	if there {
		verb = "ALTER"
	}
	// A password can't be a parameter here; a person may have put one of their own into the secret.
	if _, err := admin.Exec(ctx, verb+" ROLE "+quoted+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '"+strings.ReplaceAll(secret, "'", "''")+"'"); err != nil {
		return fmt.Errorf("make the role %s: %s", name, withoutStatement(err))
	}
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+quoted+" OWNER "+quoted+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
			return fmt.Errorf("make the database %s: %w", name, err)
		}
	}
	for _, closed := range []string{quoted, "postgres", "template1"} {
		if _, err := admin.Exec(ctx, "REVOKE ALL ON DATABASE "+closed+" FROM PUBLIC"); err != nil {
			return fmt.Errorf("close the database %s to others: %w", closed, err)
		}
	}
	return nil
}

// withoutStatement is what PostgreSQL complains of, without its words: they may quote the statement, which has a password in it.
func withoutStatement(err error) string {
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		return "PostgreSQL refused it with the code " + refused.Code
	}
	return "the connection to PostgreSQL was lost"
}

// makeTopics reaches Kafka past the mesh, whatever address the broker says that it has.
func (p *Platform) makeTopics(ctx context.Context, topics []string) error {
	pod, err := p.client.podOf(ctx, dataNamespace, "app=kafka")
	if err != nil {
		return err
	}
	address, stop, err := p.client.forward(ctx, dataNamespace, pod, 9092)
	if err != nil {
		return err
	}
	defer stop()
	return topic.Create(ctx, []string{address}, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}, topics)
}
