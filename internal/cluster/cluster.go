package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/workspace"
)

// Options say which platform runs where.
type Options struct {
	Root  string // the platform's folder
	Model *spec.Model
	// Environment is the folder in mesh/environments that says what differs on this cluster. Default: kind.
	Environment string
	// NodeImage is what kind runs as the node. Default: the platform's images.references.node, or the pinned one.
	NodeImage string
	// BaseImage is what the services' images are built on. Default: the platform's images.references.base, or the pinned one.
	BaseImage string
	// Charts is a folder with Istio's charts, for machines that reach no public server. Default: they are downloaded once.
	Charts string

	Out    io.Writer // progress
	TTY    bool      // Out is a terminal: the step that runs shows what it waits for
	Colour bool
}

// The environment variables that stand in for Options.
const (
	EnvironmentVariable = "TRELLIS_ENVIRONMENT"
	NodeImageVariable   = "TRELLIS_NODE_IMAGE"
	BaseImageVariable   = "TRELLIS_BASE_IMAGE"
	ChartsVariable      = "TRELLIS_CHARTS"
)

// Platform is one platform and its cluster, which may not be there yet.
type Platform struct {
	Options
	config nodeConfig
	kind   *kindCluster
	client *client // nil until the cluster answers
	steps  *steps
	built  kustomized
}

// ErrNoCluster says that the platform has no cluster on this machine.
var ErrNoCluster = errors.New("there is no cluster: make it with `make kind-up`")

// New reads what the cluster is made from, and touches nothing.
func New(o Options) (*Platform, error) {
	for _, d := range []struct {
		value              *string
		variable, standard string
	}{
		{&o.Environment, EnvironmentVariable, "kind"},
		{&o.NodeImage, NodeImageVariable, ""},
		{&o.BaseImage, BaseImageVariable, ""},
		{&o.Charts, ChartsVariable, ""},
	} {
		if *d.value == "" {
			*d.value = os.Getenv(d.variable)
		}
		if *d.value == "" {
			*d.value = d.standard
		}
	}
	for part, value := range map[string]*string{"node": &o.NodeImage, "base": &o.BaseImage} {
		if *value != "" {
			continue
		}
		reference, err := o.Model.Platform.Image(part)
		if err != nil {
			return nil, err
		}
		*value = reference
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if _, err := os.Stat(filepath.Join(o.Root, environmentDir(o.Environment), "kustomization.yaml")); err != nil {
		return nil, fmt.Errorf("there is no environment %[1]s: %[2]s has no kustomization.yaml; `scaffold new` writes mesh/environments/kind with the first service, "+
			"and `scaffold sync --restore` writes it again", o.Environment, filepath.ToSlash(environmentDir(o.Environment)))
	}
	config, err := readNodeConfig(o.Root, o.Model.Platform.Name)
	if err != nil {
		return nil, err
	}
	return &Platform{Options: o, config: config, kind: newKindCluster(config), steps: newSteps(o.Out, o.TTY, o.Colour)}, nil
}

// lock keeps two runs from changing the cluster at once: one would take what the other has half made for the rest of a third.
func (p *Platform) lock() (unlock func(), err error) {
	path := filepath.Join(p.Root, ".trellis", "cluster.lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	file, err := workspace.Exclusive(path)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster: %w", err)
	}
	if file == nil {
		return nil, errors.New("another command is changing the cluster: wait until it is done and try again")
	}
	return func() { _ = file.Close() }, nil // nothing was written to it
}

// Environ are the environment variables that lead another process to the same cluster.
func (p *Platform) Environ() []string {
	return []string{
		EnvironmentVariable + "=" + p.Environment, NodeImageVariable + "=" + p.NodeImage, BaseImageVariable + "=" + p.BaseImage, ChartsVariable + "=" + p.Charts,
	}
}

func environmentDir(name string) string { return filepath.Join("mesh", "environments", name) }

// Report is what Up leaves.
type Report struct {
	Steps   []StepReport `json:"steps"`
	Seconds float64      `json:"seconds"`
	URLs    []URL        `json:"urls"`
	Usage   Usage        `json:"usage"`
}

// URL is something to open or to call.
type URL struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	What string `json:"what"`
}

// Up brings the platform up, or brings what runs already in line with what is declared.
func (p *Platform) Up(ctx context.Context) (*Report, error) {
	unlock, err := p.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	began := time.Now()
	var images map[string]string
	var services []*unstructured.Unstructured
	for _, s := range []step{
		{"machine", 10 * time.Second, p.checkMachine},
		{"build", 15 * time.Minute, func(ctx context.Context, say sayer) (string, error) {
			var err error
			images, err = p.build(ctx, say)
			return fmt.Sprintf("%d images", len(images)), err
		}},
		{"cluster", 10 * time.Minute, p.createCluster},
		{"images", 15 * time.Minute, func(ctx context.Context, say sayer) (string, error) { return p.loadImages(ctx, say, images) }},
		{"istio", 10 * time.Minute, p.installIstio},
		{"mesh", 2 * time.Minute, p.applyEnvironment},
		{"stores", 10 * time.Minute, p.prepareStores},
		{"migrate", 5 * time.Minute, func(ctx context.Context, say sayer) (string, error) {
			var err error
			if services, err = p.builtServices(ctx, images); err != nil {
				return "", err
			}
			return p.migrate(ctx, say, services)
		}},
		{"services", 10 * time.Minute, func(ctx context.Context, say sayer) (string, error) { return p.applyServices(ctx, say, services) }},
		{"observe", 10 * time.Minute, p.waitForTelemetry},
		{"gateway", 2 * time.Minute, p.waitForGateway},
	} {
		if err := p.steps.run(ctx, s); err != nil {
			return nil, err
		}
	}
	usage, err := p.usage(ctx)
	if err != nil {
		return nil, err
	}
	return &Report{Steps: p.steps.done, Seconds: time.Since(began).Seconds(), URLs: p.urls(), Usage: usage}, nil
}
