package local

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/token"
)

func secured(s *spec.Service) bool { return s.Contract != nil && s.Contract.Secured() }

// secret is where one of the issuer's secrets is: a file beside its database, which is of no use without the same one.
func (p *Platform) secret(name string) string { return filepath.Join(p.options.DataDir, name) }

const (
	keyFile    = "tokens.key"
	secretFile = "client.secret"
)

// prepareTokens makes the issuer's secrets, if it is among the services and they are not there yet.
func (p *Platform) prepareTokens() error {
	issuer := token.Issuer(p.options.Model)
	if issuer == nil || !slices.Contains(p.services, issuer) {
		return nil
	}
	for _, name := range []string{keyFile, secretFile} {
		if err := makeSecret(p.secret(name)); err != nil {
			return fmt.Errorf("make a secret for %s: %w", issuer.Name, err)
		}
	}
	return nil
}

// makeSecret writes 32 random bytes in base64, for nobody else to read.
func makeSecret(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	_, err = fmt.Fprintln(file, base64.StdEncoding.EncodeToString(raw[:]))
	return errors.Join(err, file.Close())
}

// tokenSettings are what a service needs to issue or to verify tokens.
func (p *Platform) tokenSettings(s *spec.Service) map[string]string {
	set := map[string]string{}
	issuer := token.Issuer(p.options.Model)
	if issuer == nil || s != issuer && !secured(s) {
		return set
	}
	set["APP_AUTH_ISSUER"] = p.options.Model.Platform.Auth.Issuer
	set["APP_AUTH_AUDIENCE"] = p.options.Model.Platform.Auth.Audience
	if s != issuer {
		set["APP_AUTH_JWKS"] = p.procs[issuer.Name].URL + "/.well-known/jwks.json"
		return set
	}
	set["APP_TOKENS_KEY_FILE"] = p.secret(keyFile)
	set["APP_TOKENS_CLIENT_ID"] = token.Client
	set["APP_TOKENS_CLIENT_SECRET_FILE"] = p.secret(secretFile)
	set["APP_TOKENS_CLIENT_SCOPES"] = strings.Join(p.options.Model.Scopes(), ",")
	return set
}

// TokenCommand gets a token from the running issuer in a shell; "" when there is none.
func (p *Platform) TokenCommand() string {
	issuer := token.Issuer(p.options.Model)
	if issuer == nil || p.procs[issuer.Name] == nil {
		return ""
	}
	path := p.secret(secretFile)
	if short, err := filepath.Rel(p.options.Root, path); err == nil {
		path = short
	}
	return fmt.Sprintf(`curl -s -d grant_type=client_credentials -d client_id=%s --data-urlencode client_secret="$(cat %s)" %s/oauth/token`,
		token.Client, path, p.procs[issuer.Name].URL)
}

// Token asks the running issuer for a token with these scopes; with all that there are when none is named.
func (p *Platform) Token(ctx context.Context, scopes ...string) (string, error) {
	secret, err := p.ClientSecret(ctx)
	if err != nil {
		return "", err
	}
	issuer := token.Issuer(p.options.Model)
	return token.Request(ctx, http.DefaultClient, p.procs[issuer.Name].URL, secret, scopes...)
}
