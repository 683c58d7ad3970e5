package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/kind/pkg/log"
	"sigs.k8s.io/yaml"
)

// ConfigFile says how kind makes the cluster. It lies at the platform's root.
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
	plain, secure int      // ports of this machine
	address       string   // that they are reached at
	published     []string // all addresses of this machine that lead into the cluster
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
			if m.HostPort <= 0 || m.Protocol != "" && m.Protocol != v1alpha4.PortMappingProtocolTCP {
				continue
			}
			c.published = append(c.published, net.JoinHostPort(m.ListenAddress, strconv.Itoa(int(m.HostPort))))
			switch m.ContainerPort {
			case plainNodePort:
				c.plain = int(m.HostPort)
			case secureNodePort:
				c.secure = int(m.HostPort)
			default:
				continue
			}
			if ip := net.ParseIP(m.ListenAddress); ip != nil && !ip.IsUnspecified() {
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

// nodes are the running and the stopped nodes of the cluster, without what stands before them; none when there is no cluster.
func (k *kindCluster) nodes() ([]nodes.Node, error) {
	found, err := k.provider.ListNodes(k.config.name)
	if err != nil {
		return nil, fmt.Errorf("ask Docker for the nodes of the cluster: %w", err)
	}
	return slices.DeleteFunc(found, func(n nodes.Node) bool { return strings.HasSuffix(n.String(), "-external-load-balancer") }), nil
}

func (p *Platform) createCluster(ctx context.Context, say sayer) (string, error) {
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	half, err := p.halfMade(ctx, found)
	if err != nil {
		return "", err
	}
	if half { // it holds nothing yet, and cannot be mended
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

// halfMade reports whether a run of this platform was killed while it made these nodes: it left its mark, and none of them has the
// owner's yet. Nodes from before the mark are somebody else's.
func (p *Platform) halfMade(ctx context.Context, found []nodes.Node) (bool, error) {
	mark, err := os.Stat(p.makingMark())
	if errors.Is(err, fs.ErrNotExist) || len(found) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, n := range found {
		owner, err := ownerOf(ctx, n)
		if err != nil {
			return false, err
		}
		c, err := inspect(ctx, n.String())
		if err != nil {
			return false, err
		}
		if owner != "" || c.Created.Before(mark.ModTime().Add(-time.Second)) {
			return false, nil
		}
	}
	return true, nil
}

// ownerMark is a file of each node that says for which platform the cluster was made. One without it was made by hand.
const ownerMark = "/kind/scaffold-platform"

// ownerOf is the platform that a node was made for; empty when it says none.
func ownerOf(ctx context.Context, n nodes.Node) (string, error) {
	if text, err := docker(ctx, "exec", n.String(), "cat", ownerMark); err == nil {
		return strings.TrimSpace(text), nil
	}
	// A node that is stopped can run no command.
	folder, err := os.MkdirTemp("", "scaffold-owner-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "owner")
	if _, err := docker(ctx, "cp", n.String()+":"+ownerMark, file); err != nil {
		return "", nil // there is no such file
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

// belongs refuses a cluster that was not made for this platform: what it holds is somebody else's.
func (p *Platform) belongs(ctx context.Context, found []nodes.Node) error {
	half, err := p.halfMade(ctx, found)
	if err != nil || half {
		return err
	}
	for _, n := range found {
		owner, err := ownerOf(ctx, n)
		if err != nil {
			return err
		}
		if owner == p.Model.Platform.Name {
			continue
		}
		made := "by hand"
		if owner != "" {
			made = "for the platform " + owner
		}
		return fmt.Errorf("there is a cluster %[1]s already, which was made %[2]s: give this platform's cluster another name in %[3]s, or remove that one: kind delete cluster --name %[1]s",
			p.config.name, made, ConfigFile)
	}
	return nil
}

// networkMark is there when kind's network was not, before the cluster was made.
func (p *Platform) networkMark() string { return filepath.Join(p.Root, ".trellis", "kind-network") }

func (p *Platform) makeCluster(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(p.makingMark()), 0o750); err != nil {
		return err
	}
	if _, err := docker(ctx, "network", "inspect", kindNetwork); err != nil {
		if err := os.WriteFile(p.networkMark(), nil, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(p.makingMark(), nil, 0o600); err != nil {
		return err
	}
	if err := p.kind.create(ctx, p.NodeImage); err != nil {
		if left, listed := p.kind.nodes(); listed == nil && len(left) == 0 && ctx.Err() == nil {
			return errors.Join(err, os.Remove(p.makingMark())) // nothing is half-made
		}
		return err
	}
	made, err := p.kind.nodes()
	if err != nil {
		return err
	}
	for _, n := range made {
		if err := nodeutils.WriteFile(n, ownerMark, p.Model.Platform.Name+"\n"); err != nil {
			return fmt.Errorf("say in the node %s whose it is: %w", n, err)
		}
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

// kindNetwork is what kind joins its clusters' nodes by.
const kindNetwork = "kind"

// removeNetwork removes the network that kind made with this platform's cluster, if nothing is left that uses it.
func (p *Platform) removeNetwork(ctx context.Context) error {
	if _, err := os.Stat(p.networkMark()); err != nil {
		return nil //nolint:nilerr // it was there before
	}
	users, err := docker(ctx, "ps", "--all", "--quiet", "--filter", "network="+kindNetwork)
	if err != nil || strings.TrimSpace(users) != "" {
		return err
	}
	if _, err := docker(ctx, "network", "inspect", kindNetwork); err == nil {
		if _, err := docker(ctx, "network", "rm", kindNetwork); err != nil {
			return fmt.Errorf("remove the network: %w", err)
		}
	}
	return os.Remove(p.networkMark())
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
	if failed := exec.RunErrorForError(err); failed != nil && len(bytes.TrimSpace(failed.Output)) > 0 {
		return "\n" + indent(string(failed.Output))
	}
	return ""
}

// fits refuses a cluster of the same name that is another one, and reports whether it runs.
func (k *kindCluster) fits(ctx context.Context, found []nodes.Node, image string) (running bool, err error) {
	const remove = "remove it with `make kind-down` and run this again; what its databases hold is lost then"
	var plain, secure int
	running = true
	for _, n := range found {
		c, err := inspect(ctx, n.String())
		if err != nil {
			return false, err
		}
		if c.Config.Image != image {
			return false, fmt.Errorf("there is a cluster %[1]s already, of the node image %[2]s, and this platform runs on %[3]s: %[4]s\n"+
				"Or keep it, by %[5]s=%[2]s; or give this platform's cluster another name in %[6]s", k.config.name, c.Config.Image, image, remove, NodeImageVariable, ConfigFile)
		}
		plain, secure = max(plain, c.hostPort(plainNodePort)), max(secure, c.hostPort(secureNodePort))
		running = running && c.State.Running
	}
	if plain == 0 || secure == 0 {
		return false, fmt.Errorf("there is a cluster %[1]s already, which was not made from %[2]s: no port of this machine leads to its gateway: "+
			"give this platform's cluster another name in %[2]s, or remove that one: kind delete cluster --name %[1]s", k.config.name, ConfigFile)
	}
	if plain != k.config.plain || secure != k.config.secure {
		return false, fmt.Errorf("the ports of the gateway are %d and %d in %s, and the cluster %s was made with %d and %d, which cannot be changed: "+
			"put them back, or %s", k.config.plain, k.config.secure, ConfigFile, k.config.name, plain, secure, remove)
	}
	return running, nil
}

// container is what Docker tells of one.
type container struct {
	Created    time.Time
	Config     struct{ Image string }
	State      struct{ Running bool }
	HostConfig struct {
		PortBindings map[string][]struct{ HostPort string }
	}
}

// hostPort is the port of this machine that leads to one of the container; 0 when none does.
func (c container) hostPort(port int) int {
	for _, b := range c.HostConfig.PortBindings[strconv.Itoa(port)+"/tcp"] {
		if host, err := strconv.Atoi(b.HostPort); err == nil {
			return host
		}
	}
	return 0
}

func inspect(ctx context.Context, name string) (container, error) {
	out, err := docker(ctx, "inspect", "--type", "container", name)
	if err != nil {
		return container{}, err
	}
	var found []container
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return container{}, fmt.Errorf("understand `docker inspect %s`: %w", name, err)
	}
	if len(found) == 0 {
		return container{}, fmt.Errorf("docker inspect: there is no container %s", name)
	}
	return found[0], nil
}

// wake starts nodes that were stopped, as they are after this machine was started anew.
func (k *kindCluster) wake(ctx context.Context, found []nodes.Node, say sayer) error {
	for _, n := range found {
		c, err := inspect(ctx, n.String())
		if err != nil {
			return err
		}
		if !c.State.Running {
			say("start the node %s", n)
			if _, err := docker(ctx, "start", n.String()); err != nil {
				return fmt.Errorf("start the node %s: %w", n, err)
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
		return fmt.Errorf("the node's image %s is not on this machine and cannot be pulled: %w\n%s", image, err, otherImage("node", NodeImageVariable))
	}
	return nil
}

// otherImage says what to do about an image that cannot be pulled.
func otherImage(part, variable string) string {
	return fmt.Sprintf("Where there is no way to its registry, put it into this machine's Docker (`docker load`; it then goes by its tag, "+
		"without a digest), set images.mirror in platform.yaml to a registry that has it, or take another: images.references.%s in platform.yaml, or %s", part, variable)
}

func imageExists(ctx context.Context, image string) bool {
	return len(imageIDs(ctx, []string{image})) > 0
}

// imageIDs are the identities of those images that this machine has. Docker is asked once where it has them all, which it mostly does of
// images that were built here; else once for each.
func imageIDs(ctx context.Context, images []string) map[string]string {
	ids := map[string]string{}
	if len(images) == 0 {
		return ids
	}
	out, err := docker(ctx, append([]string{"image", "inspect", "--format", "{{.Id}}"}, images...)...)
	if found := strings.Fields(out); err == nil && len(found) == len(images) {
		for i, image := range images {
			ids[image] = found[i]
		}
		return ids
	}
	if len(images) > 1 {
		for _, image := range images {
			maps.Copy(ids, imageIDs(ctx, []string{image}))
		}
	}
	return ids
}

// docker runs Docker's command and gives its output.
func docker(ctx context.Context, args ...string) (string, error) {
	cmd := osexec.CommandContext(ctx, "docker", args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if text := strings.TrimSpace(complaint.String()); text != "" {
			return "", fmt.Errorf("docker %s: %s", args[0], text)
		}
		return "", fmt.Errorf("docker %s: %w", args[0], err)
	}
	return out.String(), nil
}

// dockerPipe gives the output of one of Docker's commands to read.
func dockerPipe(ctx context.Context, read func(io.Reader) error, args ...string) error {
	cmd := osexec.CommandContext(ctx, "docker", args...)
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
