package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/port"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// repository is this platform's root, seen from this package.
const repository = "../.."

func quietly(string, ...any) {}

// ours is this repository's platform, on a cluster as an environment has it.
func ours(t *testing.T, environment string) *Platform {
	t.Helper()
	return open(t, repository, Options{Environment: environment})
}

// small is a platform without services in a folder of its own, whose gateway is at ports that were just free.
func small(t *testing.T, o Options, files map[string]string) *Platform {
	t.Helper()
	root := t.TempDir()
	all := map[string]string{
		"go.mod":        "module example.com/shop\n\ngo 1.26.0\n",
		"platform.yaml": "name: shop\n",
		ConfigFile:      kindConfig(freePort(t), freePort(t)),
		"mesh/environments/kind/kustomization.yaml": "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n",
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		write(t, filepath.Join(root, name), text)
	}
	return open(t, root, o)
}

func open(t *testing.T, root string, o Options) *Platform {
	t.Helper()
	for _, variable := range []string{EnvironmentVariable, NodeImageVariable, BaseImageVariable, ChartsVariable} {
		t.Setenv(variable, "")
	}
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	o.Root, o.Model = root, model
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func kindConfig(plain, secure int) string {
	return fmt.Sprintf(`kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraPortMappings:
      - {containerPort: %d, hostPort: %d, listenAddress: 127.0.0.1}
      - {containerPort: %d, hostPort: %d, listenAddress: 127.0.0.1}
`, plainNodePort, plain, secureNodePort, secure)
}

func freePort(t *testing.T) int {
	t.Helper()
	ports, err := port.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

// fakeDocker is a docker command that answers each of its own commands by a file of a folder: info by info, and so on. One that it
// has no answer to fails as when there is none. What starts with an exclamation mark is a complaint, with exit status 1.
type fakeDocker struct{ dir string }

func newFakeDocker(t *testing.T, answers map[string]string) fakeDocker {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell for a docker command")
	}
	d := fakeDocker{t.TempDir()}
	for command, text := range answers {
		d.answers(t, command, text)
	}
	const script = `#!/bin/sh
dir=${0%/*}
echo "$*" >>"$dir/asked"
if [ ! -e "$dir/answer-$1" ]; then
	echo "no answer to: docker $*" >&2
	exit 1
fi
while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	!*) printf '%s\n' "${line#!}" >&2; failed=1 ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$dir/answer-$1"
exit ${failed:-0}
`
	if err := os.WriteFile(filepath.Join(d.dir, "docker"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", d.dir)
	return d
}

// answers says what the command answers from now on.
func (d fakeDocker) answers(t *testing.T, command, text string) {
	t.Helper()
	write(t, filepath.Join(d.dir, "answer-"+command), text)
}

// asked are the commands so far.
func (d fakeDocker) asked(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a machine that will do answers, with no cluster on it.
func ableDocker() map[string]string {
	return map[string]string{"info": dockerInfo(8, 4), "ps": ""}
}

func dockerInfo(gibibytes float64, processors int) string {
	return fmt.Sprintf(`{"ServerVersion":"28.2.2","NCPU":%d,"MemTotal":%d}`+"\n", processors, int64(gibibytes*(1<<30)))
}

// dockerNode is what docker inspect tells of a node.
func dockerNode(image string, running bool, plain, secure int) string {
	binding := func(node, host int) string {
		if host == 0 {
			return ""
		}
		return fmt.Sprintf(`"%d/tcp":[{"HostIp":"127.0.0.1","HostPort":"%d"}],`, node, host)
	}
	return fmt.Sprintf(`[{"Created":"2099-01-01T00:00:00Z","Config":{"Image":%q},"State":{"Running":%t},"HostConfig":{"PortBindings":{%s%s"6443/tcp":[{"HostPort":"41769"}]}}}]`+"\n",
		image, running, binding(plainNodePort, plain), binding(secureNodePort, secure))
}

// mustSay checks that an error has each of the texts.
func mustSay(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it succeeds")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in: %v", text, err)
		}
	}
}

func check(p *Platform) error {
	_, err := p.checkMachine(context.Background(), quietly)
	return err
}

func number(n int) string { return strconv.Itoa(n) }
