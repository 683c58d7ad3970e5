package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSecretIsMadeOnce(t *testing.T) {
	a := newAPI(t)
	first, err := a.keepSecret(t.Context(), "data", "postgres-admin", opaque, onePassword)
	if err != nil || len(first["password"]) < 24 {
		t.Fatalf("%q, %v", first["password"], err)
	}
	made := a.must(t, secrets, "data", "postgres-admin").DeepCopy()
	second, err := a.keepSecret(t.Context(), "data", "postgres-admin", opaque, func() (map[string][]byte, error) {
		t.Error("values are made anew")
		return nil, nil
	})
	if diff := cmp.Diff(first, second); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if diff := cmp.Diff(made, a.must(t, secrets, "data", "postgres-admin")); diff != "" {
		t.Errorf("the secret was written to:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"create secrets data/postgres-admin"}, a.changes()); diff != "" {
		t.Error(diff)
	}
}

func TestSecretOfAPersonIsKept(t *testing.T) {
	a := newAPI(t, object(t, `
apiVersion: v1
kind: Secret
metadata: {name: orders-stores, namespace: shop}
data: {database-url: cG9zdGdyZXM6Ly9lbHNld2hlcmU=}
`))
	held, err := a.keepSecret(t.Context(), "shop", "orders-stores", opaque, onePassword)
	if err != nil || string(held["database-url"]) != "postgres://elsewhere" || len(held) != 1 {
		t.Errorf("%v, %v", held, err)
	}
	// A value that a service needs since is added; what is there stays.
	if err := a.addToSecret(t.Context(), "shop", "orders-stores", map[string][]byte{"redis-url": []byte("redis://here")}); err != nil {
		t.Fatal(err)
	}
	held, err = a.keepSecret(t.Context(), "shop", "orders-stores", opaque, onePassword)
	if err != nil || string(held["database-url"]) != "postgres://elsewhere" || string(held["redis-url"]) != "redis://here" {
		t.Errorf("%v, %v", held, err)
	}
}

func TestSecretThatCannotBeMadeIsNotThere(t *testing.T) {
	a := newAPI(t)
	_, err := a.keepSecret(t.Context(), "data", "x", opaque, func() (map[string][]byte, error) { return nil, errors.New("no randomness") })
	mustSay(t, err, "make the secret data/x: no randomness")
	if changes := a.changes(); len(changes) != 0 {
		t.Error(changes)
	}
}

// makeDatabase puts a password into a statement as it is, and a URL has it too.
func TestPasswordNeedsNoEscape(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		p := password()
		if seen[p] || len(p) != 32 || url.QueryEscape(p) != p || strings.ContainsAny(p, `'"\$`) {
			t.Fatalf("password %q", p)
		}
		seen[p] = true
	}
}

func TestSelfSignedCertificate(t *testing.T) {
	now := time.Now()
	hosts := []string{"shop.localhost", "grafana.localhost"}
	made, err := selfSigned(hosts, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(made["tls.crt"], made["tls.key"]); err != nil {
		t.Fatalf("certificate and key: %v", err)
	}
	block, rest := pem.Decode(made["tls.crt"])
	if block == nil || len(rest) != 0 {
		t.Fatal("tls.crt is not one PEM block")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	verify := func(host string, at time.Time) error {
		_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: at})
		return err
	}
	for _, host := range hosts {
		if err := verify(host, now.AddDate(0, 11, 0)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if verify("elsewhere.localhost", now) == nil || verify(hosts[0], now.AddDate(1, 0, 1)) == nil || verify(hosts[0], now.Add(-2*time.Hour)) == nil {
		t.Error("it is good for another host, or for ever")
	}
}
