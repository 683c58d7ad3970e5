package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// fieldManager is whose fields are those that are applied here.
const fieldManager = "scaffold"

// client is the API of one cluster.
type client struct {
	config    *rest.Config
	dynamic   dynamic.Interface
	discovery discovery.CachedDiscoveryInterface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	http      *http.Client
}

func newClient(kubeconfig []byte) (*client, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 100, 200 // the cluster is this machine's own
	config.WarningHandler = rest.NoWarnings{}
	c := &client{config: config}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(config, c.http); err != nil {
		return nil, err
	}
	direct, err := discovery.NewDiscoveryClientForConfigAndClient(config, c.http)
	if err != nil {
		return nil, err
	}
	c.discovery = memory.NewMemCacheClient(direct)
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discovery)
	return c, nil
}

// Kinds that are asked for by themselves.
var (
	pods         = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	events       = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	nodesKind    = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	secrets      = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	configMaps   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	volumeClaims = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
)

func (c *client) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset() // a CustomResourceDefinition may have been made since
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.dynamic.Resource(mapping.Resource), nil
	}
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

// apply makes an object or changes the fields of it that are said (server-side apply).
func (c *client) apply(ctx context.Context, o *unstructured.Unstructured) error {
	resource, err := c.resource(o)
	if err != nil {
		return fmt.Errorf("%s: %w", title(o), err)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("%s: %w", title(o), err)
	}
	force := true
	_, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, raw, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	if err != nil {
		return fmt.Errorf("%s: %w", title(o), err)
	}
	return nil
}

// applyAll applies objects in their order. A webhook or an API that has only just started may refuse at first.
func (c *client) applyAll(ctx context.Context, objects []*unstructured.Unstructured, say sayer) error {
	for i, o := range objects {
		say("apply %d of %d: %s", i+1, len(objects), title(o))
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		err := until(bounded, 500*time.Millisecond, func(ctx context.Context) error {
			err := c.apply(ctx, o)
			if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) && !apierrors.IsInternalError(err) {
				return &finalError{err}
			}
			return err
		})
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// title names an object to a person.
func title(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

func (c *client) nodesReady(ctx context.Context) error {
	list, err := c.dynamic.Resource(nodesKind).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("the cluster has no node yet")
	}
	for _, n := range list.Items {
		if condition(&n, "Ready") != "True" {
			return fmt.Errorf("the node %s is not ready", n.GetName())
		}
	}
	return nil
}

// condition is the status of a condition of an object; empty when it has none of that type.
func condition(o *unstructured.Unstructured, name string) string {
	status, _ := conditionOf(o, name)
	return status
}

func conditionOf(o *unstructured.Unstructured, name string) (status, message string) {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range list {
		if c, ok := item.(map[string]any); ok && c["type"] == name {
			status, _ = c["status"].(string)
			message, _ = c["message"].(string)
		}
	}
	return status, message
}

// logs are the last lines of a container, of the run before when that is wanted.
func (c *client) logs(ctx context.Context, namespace, pod, container string, lines int, previous bool) (string, error) {
	address := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/log?container=%s&tailLines=%d&previous=%t", c.config.Host, namespace, pod, container, lines, previous)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	return string(text), nil
}

// forward opens a port of a pod on this machine's loopback, until the function that it gives is called. It goes past the pod's
// sidecar, by Kubernetes' own authorization.
func (c *client) forward(ctx context.Context, namespace, pod string, port int) (address string, stop func(), err error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return "", nil, err
	}
	target, err := http.NewRequestWithContext(ctx, http.MethodPost,
		fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/portforward", c.config.Host, namespace, pod), nil)
	if err != nil {
		return "", nil, err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target.URL)
	done, ready := make(chan struct{}), make(chan struct{})
	var complaint bytes.Buffer
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, done, ready, io.Discard, &complaint)
	if err != nil {
		return "", nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return "", nil, fmt.Errorf("open port %d of %s/%s: %w", port, namespace, pod, err)
	case <-ctx.Done():
		close(done)
		return "", nil, ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(done)
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), func() {
		close(done)
		<-failed //nolint:errcheck // it was told to end
	}, nil
}
