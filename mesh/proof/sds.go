package proof

import (
	"context"
	"fmt"
	"net"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// identities stands in for pilot-agent: it gives one sidecar its certificate, by the name "default", the root that it
// trusts in the mesh, "ROOTCA", and the one that it trusts outside, which is otherwise the operating system's.
type identities struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	own          pair
	mesh, public []byte
}

// serveIdentity serves on a Unix socket until stop is called.
func serveIdentity(mesh, public *authority, id, socket string) (stop func(), err error) {
	s := &identities{mesh: mesh.root, public: public.root}
	if s.own, err = mesh.identity(id); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("serve certificates: %w", err)
	}
	server := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	return server.Stop, nil
}

// StreamSecrets answers each request but those that only confirm the last answer.
func (s *identities) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if request.ResponseNonce != "" {
			continue
		}
		response := &discovery.DiscoveryResponse{TypeUrl: request.TypeUrl, VersionInfo: "1", Nonce: "1"}
		for _, name := range request.ResourceNames {
			resource, err := s.secret(name)
			if err != nil {
				return err
			}
			response.Resources = append(response.Resources, resource)
		}
		if err := stream.Send(response); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
}

func (s *identities) secret(name string) (*anypb.Any, error) {
	made := &tls.Secret{Name: name}
	switch name {
	case "default":
		made.Type = &tls.Secret_TlsCertificate{TlsCertificate: &tls.TlsCertificate{
			CertificateChain: inline(s.own.cert), PrivateKey: inline(s.own.key),
		}}
	case "ROOTCA":
		made.Type = &tls.Secret_ValidationContext{ValidationContext: &tls.CertificateValidationContext{TrustedCa: inline(s.mesh)}}
	case "file-root:system":
		made.Type = &tls.Secret_ValidationContext{ValidationContext: &tls.CertificateValidationContext{TrustedCa: inline(s.public)}}
	default:
		return nil, status.Errorf(codes.NotFound, "there is no secret %q", name)
	}
	return anypb.New(made)
}

func inline(b []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: b}}
}

// FetchSecrets is there for the interface: Envoy streams.
func (s *identities) FetchSecrets(context.Context, *discovery.DiscoveryRequest) (*discovery.DiscoveryResponse, error) {
	return nil, status.Error(codes.Unimplemented, "use StreamSecrets")
}
