package proof

import (
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"
)

// identityHeader names the metadata of gRPC in which a proxy says who it is. In a cluster its token says it.
const identityHeader = "x-proof-identity"

// istioVersion is what proxies say that they are.
const istioVersion = "1.31.0"

// object is JSON of a proto message.
type object = map[string]any

// sockets are where a proxy finds what is on this machine, whatever its network.
type sockets struct{ xds, sds, admin string }

// bootstrap is the least that an upstream Envoy needs to take its configuration from istiod.
func (p *pod) bootstrap(s sockets) ([]byte, error) {
	raw, err := json.MarshalIndent(object{
		"node": object{
			"id":       fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", p.kind(), p.net.address, p.name, p.namespace, p.namespace),
			"cluster":  p.labels["app"] + "." + p.namespace,
			"metadata": p.metadata(),
		},
		"admin": object{"address": pipe(s.admin)},
		"dynamic_resources": object{
			"lds_config": aggregated(),
			"cds_config": aggregated(),
			"ads_config": object{
				"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": []object{{
					"envoy_grpc":       object{"cluster_name": "xds-grpc"},
					"initial_metadata": []object{{"key": identityHeader, "value": p.identity}},
				}},
			},
		},
		"static_resources": object{"clusters": []object{grpcCluster("xds-grpc", s.xds), grpcCluster("sds-grpc", s.sds)}},
		// Redirection leaves alone what carries the mark: see namespace.redirect.
		"cluster_manager": object{"upstream_bind_config": object{"socket_options": []object{
			{"level": unix.SOL_SOCKET, "name": unix.SO_MARK, "int_value": envoyMark, "state": "STATE_PREBIND"},
		}}},
		// Istio's bootstrap has it too; listeners for HBONE need it.
		"bootstrap_extensions": []object{{
			"name":         "envoy.bootstrap.internal_listener",
			"typed_config": object{"@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
		}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the bootstrap of %s: %w", p.name, err)
	}
	return raw, nil
}

// kind is how istiod calls the proxy.
func (p *pod) kind() string {
	if p.gateway {
		return "router"
	}
	return "sidecar"
}

func (p *pod) metadata() object {
	return object{
		"NAME": p.name, "NAMESPACE": p.namespace, "SERVICE_ACCOUNT": p.account, "LABELS": p.labels, "INSTANCE_IPS": p.net.address.String(),
		"CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": istioVersion, "INTERCEPTION_MODE": "REDIRECT",
	}
}

func pipe(path string) object { return object{"pipe": object{"path": path}} }

func aggregated() object {
	return object{"ads": object{}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
}

// grpcCluster is a server on a Unix socket.
func grpcCluster(name, socket string) object {
	const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "1s",
		"typed_extension_protocol_options": object{options: object{
			"@type": "type.googleapis.com/" + options, "explicit_http_config": object{"http2_protocol_options": object{}},
		}},
		"load_assignment": object{"cluster_name": name, "endpoints": []object{{
			"lb_endpoints": []object{{"endpoint": object{"address": pipe(socket)}}},
		}}},
	}
}
