package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// builtFile remembers what images were built of, so that ko is asked only for those whose program, base or settings are others now.
// Nothing is lost with it but time.
var builtFile = filepath.Join(".trellis", "images.json")

// built is an image and the recipe that it was built by.
type built struct {
	Recipe string `json:"recipe"`
	Image  string `json:"image"`
}

// goFlags keep the commit out of the program: one that changes no code changes no image.
func goFlags() string {
	return "GOFLAGS=" + strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildvcs=false")
}

// recipes gives, for each program's folder, a hash of all that its image is made of: each package as it is compiled, the base, ko
// and its settings, and the files that ko adds. Programs that do not compile are an error, as the compiler tells it.
func (p *Platform) recipes(ctx context.Context, folders []string) (map[string]string, error) {
	common := sha256.New()
	fmt.Fprintln(common, strings.Join(p.koCommand(), " "), koVersion, p.base(ctx), p.Model.Platform.Registry, p.Model.Platform.Name)
	for _, settings := range []string{".ko.yaml", filepath.Join("tools", "go.sum")} {
		if raw, err := os.ReadFile(filepath.Join(p.Root, settings)); err == nil {
			fmt.Fprintf(common, "%s %x\n", settings, sha256.Sum256(raw))
		}
	}
	args := []string{"list", "-deps", "-export", "-trimpath", "-json=ImportPath,BuildID,Dir,Deps"}
	for _, folder := range folders {
		args = append(args, "./"+filepath.ToSlash(folder))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.Root
	// As ko compiles, so that what is compiled here is in the cache for ko.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, goFlags())
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, buildError(err, complaint.String(), p.BaseImage)
	}
	type goPackage struct {
		ImportPath, BuildID, Dir string
		Deps                     []string
	}
	ids, programs := map[string]string{}, map[string]goPackage{}
	for decoder := json.NewDecoder(&out); ; {
		var one goPackage
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read what `go list` tells of the programs: %w", err)
		}
		ids[one.ImportPath], programs[one.Dir] = one.BuildID, one
	}
	root, err := filepath.Abs(p.Root)
	if err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil { // the go command tells of folders by their own names
		return nil, err
	}
	recipes := map[string]string{}
	for _, folder := range folders {
		program, listed := programs[filepath.Join(root, folder)]
		if !listed {
			return nil, fmt.Errorf("`go list` tells nothing of %s", folder)
		}
		h := sha256.New()
		fmt.Fprintf(h, "%x\n", common.Sum(nil))
		for _, dep := range append(slices.Clone(program.Deps), program.ImportPath) {
			fmt.Fprintln(h, dep, ids[dep])
		}
		if err := hashFiles(h, filepath.Join(program.Dir, "kodata")); err != nil {
			return nil, err
		}
		recipes[folder] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return recipes, nil
}

// base says which base image it is now. A tag of a registry can come to mean another image, so it is asked for again every day.
func (p *Platform) base(ctx context.Context) string {
	if id, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", p.BaseImage); err == nil {
		return strings.TrimSpace(id)
	}
	if strings.Contains(p.BaseImage, "@sha256:") {
		return p.BaseImage
	}
	return p.BaseImage + " of " + time.Now().UTC().Format(time.DateOnly)
}

// hashFiles adds the files of a folder to a hash; there need be no such folder.
func hashFiles(h io.Writer, folder string) error {
	files := os.DirFS(folder)
	return fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && file == ".":
			return fs.SkipAll
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		}
		raw, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %x\n", file, sha256.Sum256(raw))
		return nil
	})
}

// remembered gives the images that were built by these recipes before and are still there.
func (p *Platform) remembered(ctx context.Context, recipes map[string]string) map[string]string {
	images := map[string]string{}
	for folder, before := range p.builtBefore() {
		if recipe, asked := recipes[folder]; asked && before.Recipe == recipe {
			images[folder] = before.Image
		}
	}
	here := imageIDs(ctx, slices.Sorted(maps.Values(images)))
	maps.DeleteFunc(images, func(_, image string) bool { return here[image] == "" })
	return images
}

// builtBefore is what builtFile says. One that cannot be read says nothing.
func (p *Platform) builtBefore() map[string]built {
	all := map[string]built{}
	if raw, err := os.ReadFile(filepath.Join(p.Root, builtFile)); err != nil || json.Unmarshal(raw, &all) != nil {
		return map[string]built{}
	}
	return all
}

// remember keeps what images were built of. It is written aside and renamed, so that it is never half there.
func (p *Platform) remember(recipes, images map[string]string) error {
	all := p.builtBefore()
	for folder, image := range images {
		all[folder] = built{Recipe: recipes[folder], Image: image}
	}
	raw, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(p.Root, builtFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
