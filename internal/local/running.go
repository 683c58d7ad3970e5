package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/token"
)

// Running is the platform that `scaffold up` runs, as another process on this machine finds it.
type Running struct {
	services map[string]Service
	secret   string // file
}

// Locate tells where a service listens when `scaffold up` runs it, whether it does or not.
func Locate(m *spec.Model, name string) (Service, error) {
	ports, err := fixedPorts(m.Platform.Local.PortBase, m)
	if err != nil {
		return Service{}, err
	}
	at, ok := ports.services[name]
	if !ok {
		return Service{}, fmt.Errorf("there is no service %q: take one of %s", name, strings.Join(slices.Sorted(maps.Keys(ports.services)), ", "))
	}
	return Service{Name: name, URL: "http://" + loopback(at.api), Admin: "http://" + loopback(at.admin)}, nil
}

// Find tells where the platform of a root listens, all of whose services must be alive.
func Find(ctx context.Context, root string, m *spec.Model) (*Running, error) {
	r := &Running{services: make(map[string]Service), secret: filepath.Join(root, ".trellis", "data", secretFile)}
	client := http.Client{Timeout: 3 * time.Second}
	for _, s := range m.Services {
		found, err := Locate(m, s.Name)
		if err != nil {
			return nil, err
		}
		if err := alive(ctx, &client, found.URL); err != nil {
			return nil, fmt.Errorf("%s does not run on this machine: start the platform with `make up`: %w", s.Name, err)
		}
		r.services[s.Name] = found
	}
	return r, nil
}

func alive(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health/live", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with status %d", req.URL, resp.StatusCode)
	}
	return nil
}

// Service says where a service listens; the zero value when there is none of the name.
func (r *Running) Service(name string) Service { return r.services[name] }

// ClientSecret is the secret of token.Client, with which tokens are asked for.
func (r *Running) ClientSecret(context.Context) (string, error) { return readSecret(r.secret) }

// ClientSecret is the secret of token.Client, with which tokens are asked for.
func (p *Platform) ClientSecret(context.Context) (string, error) {
	issuer := token.Issuer(p.options.Model)
	if issuer == nil || p.procs[issuer.Name] == nil {
		return "", errors.New("get a token: no service that issues tokens is running")
	}
	return readSecret(p.secret(secretFile))
}

func readSecret(path string) (string, error) {
	secret, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("get a token: %w", err)
	}
	return strings.TrimSpace(string(secret)), nil
}
