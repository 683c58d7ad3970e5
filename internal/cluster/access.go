package cluster

import (
	"context"
	"fmt"
	"path"

	"k8s.io/client-go/rest"
)

// Open connects to the cluster that runs. Without one the error is ErrNoCluster.
func (p *Platform) Open(ctx context.Context) (*rest.Config, error) {
	if _, err := askDocker(ctx); err != nil {
		return nil, err
	}
	found, err := p.kind.nodes()
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNoCluster
	}
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return rest.CopyConfig(p.client.config), nil
}

// Forward opens a port of a pod on this machine, until the function that it gives is called. It leads past the pod's sidecar, to
// what listens on the pod's loopback too. The platform must be open.
func (p *Platform) Forward(ctx context.Context, namespace, pod string, port int) (address string, stop func(), err error) {
	return p.client.forward(ctx, namespace, pod, port)
}

// Load builds the image of a program of the platform's module as those of the services are, copies it into the nodes, and gives its
// reference. The platform must be open.
func (p *Platform) Load(ctx context.Context, folder string) (string, error) {
	say := func(string, ...any) {}
	images, err := p.buildImages(ctx, say, []string{folder})
	if err != nil {
		return "", err
	}
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	image := images[path.Base(folder)]
	for _, node := range found {
		if _, err := copyImages(ctx, node, imageIDs(ctx, []string{image}), say); err != nil {
			return "", fmt.Errorf("copy the image of %s into the node %s: %w%s", folder, node, err, commandOutput(err))
		}
	}
	return image, nil
}
