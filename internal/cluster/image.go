package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
)

// ko builds the images: the tool of tools/go.mod where the platform has one, else this very version.
const (
	koPackage = "github.com/google/ko"
	koVersion = "v0.19.1"
)

// build makes an image of each service and gives their references by the services' names.
func (p *Platform) build(ctx context.Context, say sayer) (map[string]string, error) {
	if len(p.Model.Services) == 0 {
		return nil, nil
	}
	var folders []string
	for _, s := range p.Model.Services {
		folders = append(folders, s.Dir)
	}
	return p.buildImages(ctx, say, folders)
}

// buildImages makes an image of each program and gives their references by the names of the programs' folders. The tag is the
// digest of what is in the image, so that a pod is replaced only when its program was changed. An image that is there already,
// and would come out the same, is not built again.
func (p *Platform) buildImages(ctx context.Context, say sayer, folders []string) (map[string]string, error) {
	say("compile %d programs", len(folders))
	recipes, err := p.recipes(ctx, folders)
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("no go command on the PATH: install Go, see `scaffold doctor`")
		}
		return nil, err
	}
	byFolder := p.remembered(ctx, recipes)
	var missing []string
	for _, folder := range folders {
		if byFolder[folder] == "" {
			missing = append(missing, folder)
		}
	}
	if len(missing) > 0 {
		made, err := p.ko(ctx, say, missing)
		if err != nil {
			return nil, err
		}
		maps.Copy(byFolder, made)
		if err := p.remember(recipes, made); err != nil {
			return nil, err
		}
	}
	images := map[string]string{}
	for folder, image := range byFolder {
		images[path.Base(folder)] = image
	}
	return images, nil
}

// ko builds images and gives their references by their programs' folders.
func (p *Platform) ko(ctx context.Context, say sayer, folders []string) (map[string]string, error) {
	base := p.BaseImage
	if imageExists(ctx, base) && !strings.HasPrefix(base, localRegistry) {
		// What is on this machine is not asked for elsewhere; ko looks here only for images of this registry.
		local := localRegistry + "base:local"
		if _, err := docker(ctx, "tag", base, local); err != nil {
			return nil, err
		}
		base = local
	}
	platform := p.Model.Platform
	args := append(p.koCommand(), "build", "--base-import-paths", "--platform=linux/"+runtime.GOARCH,
		"--sbom=spdx", "--sbom-dir="+filepath.Join(p.Root, ".trellis", "sbom"))
	if !strings.HasPrefix(platform.Registry+"/", localRegistry) { // with that one ko knows by itself, and complains of the flag
		args = append(args, "--local")
	}
	for _, folder := range folders {
		args = append(args, "./"+folder)
	}
	if err := os.MkdirAll(filepath.Join(p.Root, ".trellis", "sbom"), 0o750); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = p.Root
	cmd.Env = append(os.Environ(), "KO_DOCKER_REPO="+path.Join(platform.Registry, platform.Name), "KO_DEFAULTBASEIMAGE="+base, goFlags())
	var out bytes.Buffer
	var complaint tail
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&complaint, &sayLines{say: say})
	say("build %d images", len(folders))
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, buildError(err, complaint.String(), p.BaseImage)
	}
	references := map[string]string{}
	for line := range strings.Lines(out.String()) {
		reference := strings.TrimSpace(line)
		name, _, _ := strings.Cut(path.Base(reference), ":")
		references[name] = reference
	}
	images := map[string]string{}
	for _, folder := range folders {
		if images[folder] = references[path.Base(folder)]; images[folder] == "" {
			return nil, fmt.Errorf("ko built no image of %s; it said:\n%s", folder, indent(complaint.String()))
		}
	}
	return images, nil
}

// buildError tells what is at fault: the image that the services are built on, or their code.
func buildError(err error, said, base string) error {
	if strings.Contains(said, "fetching base image") {
		return fmt.Errorf("the base image %s is not on this machine and cannot be pulled: %w\n%s\n%s", base, err, indent(said), otherImage("base", BaseImageVariable))
	}
	return fmt.Errorf("build the services' images: %w\n%s\n`go build ./...` shows all that does not compile", err, indent(said))
}

// localRegistry is the name that ko gives to images of this machine.
const localRegistry = "ko.local/"

func (p *Platform) koCommand() []string {
	modfile := filepath.Join("tools", "go.mod")
	if raw, err := os.ReadFile(filepath.Join(p.Root, modfile)); err == nil && bytes.Contains(raw, []byte(koPackage)) {
		return []string{"go", "tool", "-modfile=" + modfile, koPackage}
	}
	return []string{"go", "run", koPackage + "@" + koVersion}
}

// loadImages copies into the node what this machine has of the images that it needs: the services', and others that were pulled
// or made here. The node pulls the rest itself.
func (p *Platform) loadImages(ctx context.Context, say sayer, services map[string]string) (string, error) {
	wanted, err := p.thirdPartyImages()
	if err != nil {
		return "", err
	}
	built := slices.Sorted(maps.Values(services))
	found, err := p.kind.nodes()
	if err != nil {
		return "", err
	}
	here := imageIDs(ctx, wanted)
	maps.Copy(here, imageIDs(ctx, built))
	copied := 0
	for _, node := range found {
		n, err := copyImages(ctx, node, here, say)
		if err != nil {
			return "", fmt.Errorf("copy images into the node %s: %w%s", node, err, commandOutput(err))
		}
		copied += n
	}
	text := fmt.Sprintf("%d copied", copied)
	if pulled := len(wanted) + len(built) - len(here); pulled > 0 {
		text += fmt.Sprintf(", %d left to the node to pull", pulled)
	}
	return text, nil
}

// loadedMark is a file of the node that says which images were copied into it: a name and its identity a line.
const loadedMark = "/kind/scaffold-images"

// copyImages copies those images into a node that were not copied before, or were made anew since.
func copyImages(ctx context.Context, node nodes.Node, here map[string]string, say sayer) (int, error) {
	before, err := docker(ctx, "exec", node.String(), "sh", "-c", "cat "+loadedMark+" 2>/dev/null || true")
	if err != nil {
		return 0, err
	}
	var load, marks []string
	for mark := range strings.Lines(before) { // of images that others copied
		name, _, _ := strings.Cut(mark, " ")
		if _, now := here[name]; !now {
			marks = append(marks, strings.TrimSpace(mark))
		}
	}
	for _, image := range sorted(here) {
		mark := image + " " + here[image]
		if !slices.Contains(strings.Split(before, "\n"), mark) {
			load = append(load, image)
		}
		marks = append(marks, mark)
	}
	if len(load) == 0 {
		return 0, nil
	}
	say("copy %d images into %s", len(load), node)
	err = dockerPipe(ctx, func(r io.Reader) error { return nodeutils.LoadImageArchive(node, r) }, append([]string{"save"}, load...)...)
	if err != nil {
		return 0, err
	}
	return len(load), nodeutils.WriteFile(node, loadedMark, joinLines(marks))
}

// tail keeps the end of what a command says.
type tail struct{ lines []string }

func (t *tail) Write(text []byte) (int, error) {
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		t.lines = append(t.lines, scanner.Text())
	}
	const most = 15
	if len(t.lines) > most {
		t.lines = slices.Clone(t.lines[len(t.lines)-most:])
	}
	return len(text), nil
}

func (t *tail) String() string { return strings.Join(t.lines, "\n") }

// sayLines shows what a command says as it says it.
type sayLines struct{ say sayer }

func (s *sayLines) Write(text []byte) (int, error) {
	if line := strings.TrimSpace(string(text)); line != "" {
		s.say("%s", line[strings.LastIndexByte(line, '\n')+1:])
	}
	return len(text), nil
}
