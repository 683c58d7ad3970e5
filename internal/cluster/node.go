package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/log"
	"sigs.k8s.io/yaml"
)

// ConfigFile, at the platform's root, says how kind makes the cluster.
const ConfigFile = "kind-config.yaml"

// Ports of the gateway in the cluster, as mesh/environments/kind/istio/gateway.yaml has them.
const (
	plainNodePort  = 30080
	secureNodePort = 30443
)

// nodeConfig is what ConfigFile says, and where on this machine the gateway is.
type nodeConfig struct {
	path          string
	name          string
	plain, secure int // ports of this machine
	address       string
}

func readNodeConfig(root, platform string) (nodeConfig, error) {
	c := nodeConfig{path: filepath.Join(root, ConfigFile), name: platform, address: "127.0.0.1"}
	raw, err := os.ReadFile(c.path)
	if err != nil {
		return c, fmt.Errorf("read how the cluster is made: %w; scaffold sync --restore writes %s again", err, ConfigFile)
	}
	var config v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(raw, &config); err != nil {
		return c, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if config.Name != "" {
		c.name = config.Name
	}
	for _, node := range config.Nodes {
		for _, m := range node.ExtraPortMappings {
			switch m.ContainerPort {
			case plainNodePort:
				c.plain = int(m.HostPort)
			case secureNodePort:
				c.secure = int(m.HostPort)
			}
			if m.ListenAddress != "" {
				c.address = m.ListenAddress
			}
		}
	}
	if c.plain == 0 || c.secure == 0 {
		return c, fmt.Errorf("%s: no port of this machine leads to the gateway: add extraPortMappings for the container ports %d and %d",
			ConfigFile, plainNodePort, secureNodePort)
	}
	return c, nil
}

// kindCluster is the cluster of one platform.
type kindCluster struct {
	config   nodeConfig
	provider *cluster.Provider
}

func newKindCluster(c nodeConfig) *kindCluster {
	return &kindCluster{c, cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(log.NoopLogger{}))}
}

// nodes are the running and the stopped nodes of the cluster; none when there is no cluster.
func (k *kindCluster) nodes() ([]nodes.Node, error) {
	found, err := k.provider.ListNodes(k.config.name)
	if err != nil {
		return nil, fmt.Errorf("ask Docker for the nodes of the cluster: %w", err)
	}
	return found, nil
}

func (p *Platform) createCluster(ctx context.Context, say sayer) (string, error) {
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	// A cluster that was not made to the end holds nothing yet, and cannot be mended.
	if _, err := os.Stat(p.makingMark()); err == nil && len(found) > 0 {
		say("remove the node that was not made to the end")
		if err := p.kind.remove(ctx); err != nil {
			return "", err
		}
		found = nil
	}
	done := "was there"
	switch {
	case len(found) > 0:
		if err := p.kind.wake(ctx, found, say); err != nil {
			return "", err
		}
	default:
		if err := p.kind.obtain(ctx, p.NodeImage, say); err != nil {
			return "", err
		}
		say("kind makes the node")
		if err := p.makeCluster(ctx); err != nil {
			return "", err
		}
		done = "made"
	}
	if err := p.connect(ctx); err != nil {
		return "", err
	}
	version := ""
	err = until(ctx, time.Second, func(ctx context.Context) error {
		say("Kubernetes starts")
		info, err := p.client.discovery.ServerVersion()
		if err != nil {
			return err
		}
		version = info.GitVersion
		return p.client.nodesReady(ctx)
	})
	return fmt.Sprintf("%s %s, Kubernetes %s", p.config.name, done, version), err
}

// connect opens the API of the cluster, which must be there; doing so twice is no error.
func (p *Platform) connect(context.Context) error {
	if p.client != nil {
		return nil
	}
	kubeconfig, err := p.kind.provider.KubeConfig(p.config.name, false)
	if err != nil {
		return fmt.Errorf("read how to reach the cluster %s: %w", p.config.name, err)
	}
	p.client, err = newClient([]byte(kubeconfig))
	return err
}

// makingMark is a file that is there while the cluster is made: one that stays tells the next run that it was interrupted.
func (p *Platform) makingMark() string {
	return filepath.Join(p.Root, ".trellis", "kind-"+p.config.name+".making")
}

func (p *Platform) makeCluster(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(p.makingMark()), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(p.makingMark(), nil, 0o600); err != nil {
		return err
	}
	if err := p.kind.create(ctx, p.NodeImage); err != nil {
		return err
	}
	return os.Remove(p.makingMark())
}

// remove deletes the cluster with all that it holds, and its context in the kubeconfig. Doing so twice is no error.
func (k *kindCluster) remove(ctx context.Context) error {
	return until(ctx, time.Second, func(context.Context) error {
		if err := k.provider.Delete(k.config.name, ""); err != nil {
			return fmt.Errorf("remove the cluster: %w%s", err, commandOutput(err))
		}
		return nil
	})
}

// create makes the cluster, and leaves nothing when it cannot: kind removes the node of a failed attempt.
func (k *kindCluster) create(ctx context.Context, image string) error {
	result := make(chan error, 1)
	go func() {
		result <- k.provider.Create(k.config.name, cluster.CreateWithConfigFile(k.config.path), cluster.CreateWithNodeImage(image),
			cluster.CreateWithWaitForReady(0), cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("make the cluster: %w%s", err, commandOutput(err))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commandOutput is what the command that kind ran said, which is where the cause is.
func commandOutput(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if out, ok := err.(interface{ Output() []byte }); ok && len(out.Output()) > 0 {
			return "\n" + indent(string(out.Output()))
		}
	}
	return ""
}

// fits refuses a cluster of the same name that is another one.
func (k *kindCluster) fits(ctx context.Context, found []nodes.Node, image string) error {
	for _, n := range found {
		out, err := docker(ctx, "inspect", "--format", `{{.Config.Image}}`, n.String())
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(out); got != image {
			return fmt.Errorf("there is a cluster %s already, of the node image %s, and this platform runs on %s: "+
				"remove it with `make kind-down` and run this again; what its databases hold is lost then", k.config.name, got, image)
		}
	}
	return nil
}

// wake starts nodes that were stopped, as they are after this machine was started anew.
func (k *kindCluster) wake(ctx context.Context, found []nodes.Node, say sayer) error {
	for _, n := range found {
		state, err := docker(ctx, "inspect", "--format", "{{.State.Running}}", n.String())
		if err != nil {
			return err
		}
		if strings.TrimSpace(state) != "true" {
			say("start the node %s", n)
			if _, err := docker(ctx, "start", n.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// obtain has Docker pull the node's image, unless it is there.
func (k *kindCluster) obtain(ctx context.Context, image string, say sayer) error {
	if imageExists(ctx, image) {
		return nil
	}
	say("pull %s", image)
	if _, err := docker(ctx, "pull", "--quiet", image); err != nil {
		return fmt.Errorf("the node's image %s is not on this machine and could not be pulled: %w\n"+
			"Set images.mirror or images.references.node in platform.yaml, or %s, to one that can", image, err, NodeImageVariable)
	}
	return nil
}

func imageExists(ctx context.Context, image string) bool {
	_, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// docker runs Docker's command and gives its output.
func docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		text := strings.TrimSpace(complaint.String())
		if text == "" {
			text = err.Error()
		}
		return "", fmt.Errorf("docker %s: %s", args[0], text)
	}
	return out.String(), nil
}

// pipe gives the output of one of Docker's commands to read.
func dockerPipe(ctx context.Context, read func(io.Reader) error, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("docker %s: %w", args[0], err)
	}
	failed := read(out)
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return failed
}
