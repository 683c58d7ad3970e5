package proof

import (
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/metadata"
	"k8s.io/apimachinery/pkg/runtime"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/jwt"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/security"
	"istio.io/istio/pkg/test"
)

// istiod is Istio's control plane, run in this process.
type istiod struct {
	server *xds.FakeDiscoveryServer
}

// startIstiod serves xDS on the Unix socket, or only answers in this process when there is none. It ends with the test.
func startIstiod(t test.Failer, socket string, mesh *meshconfig.MeshConfig, cluster []runtime.Object, configs []config.Config) *istiod {
	// The filters that only Istio's own build of Envoy has.
	test.SetForTest(t, &features.ALPNFilter, false)
	test.SetForTest(t, &features.MetadataExchange, false)
	// As the installation says: Envoy asks for the keys of tokens, through the mesh.
	test.SetForTest(t, &features.JwksFetchMode, jwt.Envoy)
	test.SetForTest(t, &security.AuthPlaintext, true)
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel) // what Envoy refuses is asked of Envoy
	}
	options := xds.FakeOptions{
		KubernetesObjects: cluster, Configs: configs, MeshConfig: mesh,
		DebounceTime: 10 * time.Millisecond, DisableSecretAuthorization: true,
	}
	if socket != "" {
		options.ListenerBuilder = func() (net.Listener, error) { return net.Listen("unix", socket) }
	}
	server := xds.NewFakeDiscoveryServer(t, options)
	server.Discovery.Authenticators = []security.Authenticator{byHeader{}}
	return &istiod{server}
}

// byHeader takes a proxy's word for who it is; istiod then compares that with what the proxy asks for.
type byHeader struct{}

func (byHeader) AuthenticatorType() string { return "header" }

func (byHeader) Authenticate(c security.AuthContext) (*security.Caller, error) {
	md, _ := metadata.FromIncomingContext(c.GrpcContext)
	id := md.Get(identityHeader)
	if len(id) == 0 {
		return nil, fmt.Errorf("there is no %s", identityHeader)
	}
	return &security.Caller{Identities: id}, nil
}

// apply makes istiod hold these documents and no others, as kubectl apply --prune would.
func (i *istiod) apply(configs []config.Config) error {
	store := i.server.Store()
	wanted := map[string]bool{}
	for _, c := range configs {
		wanted[c.Key()] = true
		old := store.Get(c.GroupVersionKind, c.Name, c.Namespace)
		var err error
		switch {
		case old == nil:
			_, err = store.Create(c)
		case !sameSpec(*old, c):
			c.ResourceVersion = old.ResourceVersion
			_, err = store.Update(c)
		}
		if err != nil {
			return fmt.Errorf("apply %s: %w", c.Key(), err)
		}
	}
	for _, schema := range store.Schemas().All() {
		for _, c := range store.List(schema.GroupVersionKind(), "") {
			if !wanted[c.Key()] {
				if err := store.Delete(c.GroupVersionKind, c.Name, c.Namespace, nil); err != nil {
					return fmt.Errorf("delete %s: %w", c.Key(), err)
				}
			}
		}
	}
	return nil
}

func sameSpec(a, b config.Config) bool {
	x, errX := config.ToJSON(a.Spec)
	y, errY := config.ToJSON(b.Spec)
	return errX == nil && errY == nil && string(x) == string(y)
}
