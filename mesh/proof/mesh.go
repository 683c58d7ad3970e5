package proof

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	"istio.io/istio/pkg/config"
	istiomesh "istio.io/istio/pkg/config/mesh"
)

// mesh is a platform that runs: every service's pods and what stands around them, each with its Envoy, and the istiod that
// configures them from the platform's rendered files.
type mesh struct {
	t        testing.TB
	declared *declarations
	istiod   *istiod
	pods     map[string]*pod // by name
	cluster  *cluster
	mesh     *authority // signs identities
	public   *authority // signs for hosts outside, and for the gateway
}

// options change what a mesh runs with.
type options struct {
	replicas map[string]int   // of Deployments, by name; one when it says nothing
	change   func(*manifests) // what is rendered, before istiod sees it
}

// startMesh runs the platform at the root until the test ends. It fails the test when a proxy refuses any configuration, now or
// at the end.
func startMesh(t testing.TB, root fs.FS, o options) *mesh {
	t.Helper()
	m, err := newMesh(t, root, o)
	t.Cleanup(func() {
		if t.Failed() {
			m.logs()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.accepted(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// logs shows what the proxies wrote.
func (m *mesh) logs() {
	for _, p := range m.pods {
		if p.envoy != nil {
			m.t.Logf("%s:\n%s", p.name, p.envoy.log())
		}
	}
}

// newMesh runs the platform at the root until the test ends. What it gives with an error is good for its logs.
func newMesh(t testing.TB, root fs.FS, o options) (*mesh, error) {
	m := &mesh{t: t, pods: map[string]*pod{}}
	return m, m.start(root, o)
}

func (m *mesh) start(root fs.FS, o options) (err error) {
	if m.declared, err = readDeclarations(root); err != nil {
		return err
	}
	manifests, err := readManifests(root)
	if err != nil {
		return err
	}
	manifests.canaries(m.declared)
	if o.change != nil {
		o.change(manifests)
	}
	settings, err := readMeshConfig(root)
	if err != nil {
		return err
	}
	if m.mesh, err = newAuthority("mesh"); err != nil {
		return err
	}
	if m.public, err = newAuthority("public"); err != nil {
		return err
	}
	if err := m.connect(manifests, o); err != nil {
		return err
	}
	return m.run(manifests, settings)
}

// connect makes the pods, with applications and without proxies.
func (m *mesh) connect(manifests *manifests, o options) error {
	n, err := newNetwork()
	if err != nil {
		return err
	}
	m.t.Cleanup(n.close)
	all := m.surroundings()
	for _, d := range manifests.deployments {
		for i := range max(1, o.replicas[d.Name]) {
			all = append(all, replica(m.declared, d, i))
		}
	}
	for _, p := range all {
		m.pods[p.name] = p
		m.t.Cleanup(p.close)
		if err := p.connect(n); err != nil {
			return err
		}
		var certificate *tls.Config
		if !p.meshed() && len(p.ports) > 0 {
			if certificate, err = m.serverTLS(p.name); err != nil {
				return err
			}
		}
		if p.gateway {
			continue
		}
		if err := p.serve(certificate); err != nil {
			return err
		}
	}
	return m.nameHosts()
}

// nameHosts makes the hosts outside of the mesh known by name.
func (m *mesh) nameHosts() error {
	addresses := map[string]string{}
	for _, p := range m.pods {
		if !p.meshed() {
			addresses[p.name] = p.net.address.String()
		}
	}
	return setHosts(addresses)
}

// impostor is a host outside that shows the certificate of another one.
const impostor = "impostor.test"

func (m *mesh) serverTLS(name string) (*tls.Config, error) {
	if name == impostor {
		name = "other.test"
	}
	own, err := m.public.host(name)
	if err != nil {
		return nil, err
	}
	certificate, err := own.certificate()
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, err
}

// run starts istiod and the proxies.
func (m *mesh) run(manifests *manifests, settings *meshconfig.MeshConfig) (err error) {
	var pods []*pod
	for _, p := range m.pods {
		if p.meshed() {
			pods = append(pods, p)
		}
	}
	secret, err := m.gatewaySecret()
	if err != nil {
		return err
	}
	if m.cluster, err = newCluster(append(m.surroundingServices(), manifests.services...), pods, secret); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mesh-")
	if err != nil {
		return fmt.Errorf("make a folder for istiod: %w", err)
	}
	m.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	xds := filepath.Join(dir, "xds")
	m.istiod = startIstiod(m.t, xds, settings, m.cluster.objects, upstream(manifests.istio))
	for _, p := range pods {
		if p.envoy, err = startEnvoy(os.Getenv(envoyEnv), p, xds, m.mesh, m.public); err != nil {
			return err
		}
	}
	for _, p := range pods {
		if err := p.envoy.ready(); err != nil {
			return fmt.Errorf("the Envoy of %s: %w", p.name, err)
		}
	}
	return m.accepted()
}

// gatewaySecret is the certificate of the gateway, as cert-manager would keep it.
func (m *mesh) gatewaySecret() (runtime.Object, error) {
	own, err := m.public.host(m.declared.Gateway.Hosts...)
	if err != nil {
		return nil, err
	}
	s := &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{corev1.TLSCertKey: own.cert, corev1.TLSPrivateKeyKey: own.key}}
	s.Name, s.Namespace = "gateway-tls", gatewayNamespace
	return s, nil
}

// accepted tells which proxies refused configuration.
func (m *mesh) accepted() error {
	for _, p := range m.pods {
		if p.envoy == nil {
			continue
		}
		switch refused, err := p.envoy.rejected(); {
		case err != nil:
			return fmt.Errorf("%s: %w", p.name, err)
		case refused != "":
			return fmt.Errorf("%s: %s", p.name, refused)
		}
	}
	return nil
}

// readMeshConfig takes the mesh's configuration from the values that istiod is installed with.
func readMeshConfig(root fs.FS) (*meshconfig.MeshConfig, error) {
	var values struct {
		MeshConfig map[string]any `json:"meshConfig"`
	}
	if err := readYAML(root, "mesh/istio/istiod.yaml", &values); err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(values.MeshConfig)
	if err != nil {
		return nil, fmt.Errorf("write the mesh's configuration: %w", err)
	}
	settings, err := istiomesh.ApplyMeshConfigDefaults(string(text))
	if err != nil {
		return nil, fmt.Errorf("mesh/istio/istiod.yaml: meshConfig: %w", err)
	}
	return settings, nil
}

// upstream leaves out what only Istio's own build of Envoy can do: its metrics.
func upstream(configs []config.Config) []config.Config {
	all := make([]config.Config, 0, len(configs))
	for _, c := range configs {
		c = c.DeepCopy()
		if t, ok := c.Spec.(*telemetry.Telemetry); ok {
			t.Metrics = nil
		}
		all = append(all, c)
	}
	return all
}

// send sends a request as the application of a pod would: to the service's address, which its sidecar is in the way of.
func (m *mesh) send(from, method, host string, port int, path string, header ...string) answer {
	to, ok := m.cluster.addresses[host]
	if !ok {
		to = outsideAddress
	}
	r := request{method: method, url: fmt.Sprintf("http://%s:%d%s", host, port, path), to: netip.AddrPortFrom(to, uint16(port)), header: map[string]string{}} //nolint:gosec // a port
	for i := 0; i+1 < len(header); i += 2 {
		r.header[header[i]] = header[i+1]
	}
	return r.send(m.pods[from].http)
}

// bypass gives a client that goes around the sidecar of a pod and speaks to other sidecars itself, with a certificate for the
// identity by an authority.
func (m *mesh) bypass(from string, by *authority, identity string) (*http.Client, error) {
	own, err := by.identity(identity)
	if err != nil {
		return nil, err
	}
	certificate, err := own.certificate()
	if err != nil {
		return nil, err
	}
	// Whom it speaks to does not matter here: the callee is what is tested.
	return m.pods[from].client(&tls.Config{Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}), nil //nolint:gosec // see above
}
