package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fault is an error that somebody could make in a template.
type fault struct {
	name     string
	template string
	from, to string // text of the template, wherever it stands, and what stands there instead
}

// The templates that faults are in.
const (
	meshTemplate     = "service/mesh.yaml.tmpl"
	workloadTemplate = "service/workload.yaml.tmpl"
)

const rateEnforced = "runtime_key: gateway_rate_limit_enforced\n              default_value:\n                numerator: "

// faults are to be noticed, each of them.
var faults = []fault{
	{"nothing denies by default", "platform/authorization.yaml.tmpl", "name: allow-nothing\n  namespace: istio-system", "name: allow-nothing\n  namespace: istio-ingress"},
	{"mTLS is not asked for", "platform/peer-authentication.yaml.tmpl", "STRICT", "PERMISSIVE"},
	{"mTLS is not offered", meshTemplate, "mode: ISTIO_MUTUAL", "mode: DISABLE"},
	{"every path is let in", meshTemplate, "{{- range .Grant.Paths}}\n              - {{yamlString .}}", "{{- range .Grant.Paths}}\n              - \"/*\""},
	{"every method is let in", meshTemplate, "methods: [{{join \", \" .Grant.Methods}}]", "methods: [\"*\"]"},
	{"paths of other operations are not excepted", meshTemplate, "{{- with .Grant.Except}}", "{{- with false}}"},
	{"callers are of another namespace", meshTemplate, "- {{$s.Principal $ns .Caller}}", "- {{$s.Principal \"default\" .Caller}}"},
	{"metrics are let in on the API's port", meshTemplate, "ports: [\"{{.AdminPort}}\"]", "ports: [\"{{$port}}\"]"},
	{"sidecars know all services", meshTemplate, "- {{.Host}} # {{.Declared}}", "- \"*/*\" # {{.Host}} {{.Declared}}"},
	{"sidecars know callees by short names", meshTemplate, "- {{.Host}} # {{.Declared}}", "- {{.Host | replace \".svc.cluster.local\" \"\"}} # {{.Declared}}"},
	{"the DestinationRule's host is a short name", meshTemplate, "  host: {{.Host}}\n  trafficPolicy:\n    tls:", "  host: {{.Name}}.{{$ns}}\n  trafficPolicy:\n    tls:"},
	{"a subset has another name in routes", meshTemplate, "subset: {{.Subset}}", "subset: {{.Subset}}-pods"},
	{"a subset has another label", meshTemplate, "version: {{.Stable}}", "version: {{.Stable}}-pods"},
	{"the port has a name of another protocol", workloadTemplate, "- name: http\n      appProtocol: http", "- name: tcp-http\n      appProtocol: tcp"},
	{"routes are for another port", meshTemplate, "          port: {{$.Service.HTTP.Port}}", "          port: 9999"},
	{"retryOn is missing", meshTemplate, "        retryOn: {{.Retry.On}}\n", ""},
	{"POST is sent again after 5xx", meshTemplate, "retryOn: {{.Retry.On}}", "retryOn: connect-failure,gateway-error"},
	{"attempts have no limit of their own", meshTemplate, "        perTryTimeout: {{time .}}\n", ""},
	{"calls have no timeout", meshTemplate, "      timeout: {{time .Timeout}}{{with .Comment}} # {{.}}{{end}}\n", ""},
	{"all callers share a route", meshTemplate, "          sourceLabels:\n            app: {{.}}\n", ""},
	{"the stable version has the canary's weight", meshTemplate, "weight: {{sub 100 .Weight}}", "weight: {{.Weight}}"},
	{"the canary's header is not looked at", meshTemplate, "exact: {{yamlString .Value}}", "exact: {{yamlString (print .Value \"!\")}}"},
	{"failing replicas stay", meshTemplate, "consecutive5xxErrors: {{.Traffic.Outlier.Consecutive5xx}}", "consecutive5xxErrors: 0"},
	{"any number of requests may wait", meshTemplate, "http1MaxPendingRequests: {{.Traffic.Pool.Pending}}", "http1MaxPendingRequests: 10000"},
	{"TLS is not added on the way out", meshTemplate, "mode: SIMPLE", "mode: DISABLE"},
	{"stores let in the wrong services", meshTemplate, "- {{$s.Principal $ns $s.Name}}", "- {{$s.Principal $ns \"users\"}}"},
	{"tokens for anybody are taken", meshTemplate, "      audiences: [{{yamlString .Platform.Auth.Audience}}]\n", ""},
	{"tokens are not verified", meshTemplate, "issuer: {{.Platform.Auth.Issuer}}", "issuer: {{.Platform.Auth.Issuer}}/"},
	{"scopes are not asked for", meshTemplate, "{{- with .Scopes}}", "{{- with false}}"},
	{"the gateway is open to plain HTTP", "platform/gateway.yaml.tmpl", "httpsRedirect: true", "httpsRedirect: false"},
	{"paths are compared as they come", "platform/istiod.yaml.tmpl", "DECODE_AND_MERGE_SLASHES", "NONE"},
	{"the canary gets no copies", meshTemplate, "{{- if $r.Mirror}}", "{{- if false}}"},
	{"the gateway's rate is not enforced", "platform/gateway.yaml.tmpl", rateEnforced + "100", rateEnforced + "0"},
}

// templatesEnv names the folder that the scaffold of openScaffold has its templates from.
const templatesEnv = "TRELLIS_PROOF_TEMPLATES"

// openScaffold builds a scaffold that reads its templates at run time, so that each fault does not need a build of its own.
func openScaffold(dir string) (program string, err error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	const source = `package templates

import "os"

var FS = os.DirFS(os.Getenv("` + templatesEnv + `"))
`
	changed, overlay := filepath.Join(dir, "templates.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(source), 0o600); err != nil {
		return "", fmt.Errorf("write a source: %w", err)
	}
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "templates", "templates.go"): changed}})
	if err != nil {
		return "", fmt.Errorf("write an overlay: %w", err)
	}
	if err := os.WriteFile(overlay, replaced, 0o600); err != nil {
		return "", fmt.Errorf("write an overlay: %w", err)
	}
	program = filepath.Join(dir, "scaffold")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./cmd/scaffold")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build scaffold: %w\n%s", err, out)
	}
	return program, nil
}

// seed writes the templates with the fault into the folder.
func (f fault) seed(dir string) error {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "templates"))); err != nil {
		return fmt.Errorf("copy the templates: %w", err)
	}
	file := filepath.Join(dir, filepath.FromSlash(f.template))
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a template: %w", err)
	}
	if !strings.Contains(string(text), f.from) {
		return fmt.Errorf("%w %s: %q", errGone, f.template, f.from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), f.from, f.to)), 0o600); err != nil {
		return fmt.Errorf("write a template: %w", err)
	}
	return nil
}

var errGone = errors.New("the text is not in the template any more")
