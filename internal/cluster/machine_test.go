package cluster

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMachineThatWillDo(t *testing.T) {
	newFakeDocker(t, ableDocker())
	got, err := small(t, Options{}, nil).checkMachine(t.Context(), quietly)
	if err != nil || got != "Docker 28.2.2, 4 processors, 8.0 GiB" {
		t.Errorf("%q, %v", got, err)
	}
}

// Each of them is told before anything is made, with what helps.
func TestMachineThatWillNotDo(t *testing.T) {
	const makeUp = "or run `make up`, which needs no Docker"
	for _, c := range []struct {
		name, info string
		want       []string
	}{
		{"Docker is stopped", "!Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
			[]string{"there is no answer from Docker", "sudo systemctl start docker", "Is the docker daemon running?", makeUp}},
		{"Docker is stopped, and its command says so by an empty answer", `{"ServerVersion":"","NCPU":0,"MemTotal":0}`,
			[]string{"there is no answer from Docker", makeUp}},
		{"Docker is for others", "!permission denied while trying to connect to the Docker daemon socket",
			[]string{"you may not use Docker", "sudo usermod -aG docker $USER", makeUp}},
		{"too little memory", dockerInfo(3.8, 4),
			[]string{"the memory of Docker is 3.8 GiB, and the platform needs 5 GiB", "Settings, Resources", makeUp}},
		{"one processor", dockerInfo(8, 1),
			[]string{"the processors of Docker are 1, and the platform needs 2", "Settings, Resources", makeUp}},
		{"something else is called docker", "podman", []string{"understand `docker info`"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			docker := newFakeDocker(t, map[string]string{"info": c.info})
			mustSay(t, check(small(t, Options{}, nil)), c.want...)
			if asked := docker.asked(t); strings.Count(asked, "\n") != 1 {
				t.Errorf("it went on:\n%s", asked)
			}
		})
	}
	t.Run("no docker command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		mustSay(t, check(small(t, Options{}, nil)), "no docker command on the PATH: install Docker", makeUp)
	})
}

func TestDockerThatHangsIsNotWaitedForLong(t *testing.T) {
	docker := newFakeDocker(t, nil)
	write(t, filepath.Join(docker.dir, "docker"), "#!/bin/sh\nexec /bin/sleep 60\n") // keeps the mode of the file that was there
	began := time.Now()
	mustSay(t, check(small(t, Options{}, nil)), "there is no answer from Docker within 5s: start it anew")
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTakenPortIsToldWithItsHolder(t *testing.T) {
	answers := ableDocker()
	docker := newFakeDocker(t, answers)
	p := small(t, Options{}, nil)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", number(p.config.secure)))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	where := "at 127.0.0.1:" + number(p.config.secure) + ", which is taken by "
	mustSay(t, check(p), where, "choose another hostPort in kind-config.yaml")
	if !strings.Contains(docker.asked(t), "publish="+number(p.config.secure)) {
		t.Error("Docker was not asked whose port it is")
	}

	// Any port that the configuration publishes counts, not the gateway's alone.
	taken := listener.Addr().(*net.TCPAddr).Port
	p = small(t, Options{}, map[string]string{ConfigFile: kindConfig(freePort(t), freePort(t)) +
		"      - {containerPort: 31432, hostPort: " + number(taken) + ", listenAddress: 127.0.0.1}\n"})
	mustSay(t, check(p), "at 127.0.0.1:"+number(taken)+", which is taken by ")

	// A UDP port of the same number is another one.
	p = small(t, Options{}, map[string]string{ConfigFile: kindConfig(freePort(t), freePort(t)) +
		"      - {containerPort: 31053, hostPort: " + number(taken) + ", protocol: UDP}\n"})
	if err := check(p); err != nil {
		t.Error(err)
	}
}

func TestAddressOfAnotherMachine(t *testing.T) {
	newFakeDocker(t, ableDocker())
	config := strings.Replace(kindConfig(freePort(t), freePort(t)), "127.0.0.1", "192.0.2.1", 1)
	mustSay(t, check(small(t, Options{}, map[string]string{ConfigFile: config})), "192.0.2.1:", "no address of this machine", "listenAddress in kind-config.yaml")
}

func TestClusterThatRunsHasItsPortsItself(t *testing.T) {
	answers := ableDocker()
	p := small(t, Options{}, nil)
	answers["ps"] = "shop-control-plane\n"
	answers["exec"] = "shop\n"
	docker := newFakeDocker(t, answers)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", number(p.config.plain)))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	docker.answers(t, "inspect", dockerNode(p.NodeImage, true, p.config.plain, p.config.secure))
	if err := check(p); err != nil {
		t.Error(err)
	}
	// One that was stopped will want them back.
	docker.answers(t, "inspect", dockerNode(p.NodeImage, false, p.config.plain, p.config.secure))
	mustSay(t, check(p), ":"+number(p.config.plain)+", which is taken by the container shop-control-plane")
}

func TestAnotherClusterOfTheSameNameIsRefused(t *testing.T) {
	p := small(t, Options{}, nil)
	const remedy = "remove it with `make kind-down` and run this again; what its databases hold is lost then"
	for name, c := range map[string]struct {
		node string
		want []string
	}{
		"of another node image": {dockerNode("kindest/node:v1.29.0", true, p.config.plain, p.config.secure), []string{
			"there is a cluster shop already, of the node image kindest/node:v1.29.0, and this platform runs on " + p.NodeImage, remedy,
			NodeImageVariable + "=kindest/node:v1.29.0", "another name in kind-config.yaml"}},
		"made by somebody else": {dockerNode(p.NodeImage, true, 0, 0), []string{
			"there is a cluster shop already, which was not made from kind-config.yaml: no port of this machine leads to its gateway", "kind delete cluster --name shop"}},
		"made by hand, of the same image and ports": {dockerNode(p.NodeImage, true, p.config.plain, p.config.secure), []string{
			"there is a cluster shop already, which was made by hand", "another name in kind-config.yaml", "kind delete cluster --name shop"}},
		"before its ports were changed": {dockerNode(p.NodeImage, true, 1080, 1443), []string{
			"and the cluster shop was made with 1080 and 1443, which cannot be changed: put them back", remedy}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := ableDocker()
			answers["ps"], answers["inspect"] = "shop-control-plane\n", c.node
			docker := newFakeDocker(t, answers)
			mustSay(t, check(p), c.want...)
			for _, changing := range []string{"rm", "start", "run", "pull"} {
				if strings.Contains("\n"+docker.asked(t), "\n"+changing+" ") {
					t.Errorf("docker %s was called:\n%s", changing, docker.asked(t))
				}
			}
			// What is left of a cluster that was not made to the end is made anew, so it need not fit.
			write(t, p.makingMark(), "")
			if err := check(p); err != nil {
				t.Errorf("half-made: %v", err)
			}
			// A mark from before the node was made by somebody else says nothing of it.
			docker.answers(t, "inspect", strings.Replace(c.node, "2099-", "1999-", 1))
			mustSay(t, check(p), c.want...)
			docker.answers(t, "inspect", c.node)
			if err := os.Remove(p.makingMark()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The step that fails is the last one: nothing is built or made for a machine that will not do.
func TestUpEndsWithTheFirstStepThatFails(t *testing.T) {
	docker := newFakeDocker(t, map[string]string{"info": dockerInfo(1, 1)})
	var out strings.Builder
	p := small(t, Options{Out: &out}, nil)
	_, err := p.Up(t.Context())
	mustSay(t, err, "machine: the memory of Docker is 1.0 GiB")
	if got := out.String(); !strings.HasPrefix(got, "failed machine") || strings.Count(got, "\n") != 1 {
		t.Errorf("progress:\n%s", got)
	}
	if asked := docker.asked(t); asked != "info --format {{json .}}\n" {
		t.Errorf("Docker was asked:\n%s", asked)
	}
}

func TestStatusAndDownWithoutDockerOrCluster(t *testing.T) {
	newFakeDocker(t, nil)
	p := small(t, Options{}, nil)
	_, err := p.Status(t.Context())
	mustSay(t, err, "there is no answer from Docker")
	_, err = p.Down(t.Context())
	mustSay(t, err, "there is no answer from Docker")

	newFakeDocker(t, ableDocker())
	if _, err := p.Status(t.Context()); err != ErrNoCluster { //nolint:errorlint // nothing is around it
		t.Errorf("status without a cluster: %v", err)
	}
	if removed, err := p.Down(t.Context()); removed || err != nil {
		t.Errorf("down without a cluster: %t, %v", removed, err)
	}
}

func TestNodeImageThatCannotBePulled(t *testing.T) {
	answers := ableDocker()
	answers["image"] = "!Error: No such image"
	answers["pull"] = `!Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host`
	newFakeDocker(t, answers)
	p := small(t, Options{NodeImage: "kindest/node:v1.99.0"}, nil)
	_, err := p.createCluster(t.Context(), quietly)
	mustSay(t, err, "the node's image kindest/node:v1.99.0 is not on this machine and cannot be pulled", "no such host",
		"docker load", "images.mirror", "images.references.node", NodeImageVariable)
	if _, err := os.Stat(p.makingMark()); err == nil {
		t.Error("it is taken for a cluster that was not made to the end")
	}
}

func TestKindsOwnFailureIsTold(t *testing.T) {
	answers := ableDocker()
	answers["image"], answers["inspect"] = "sha256:1234", "sha256:1234"
	answers["network"] = "!Error response from daemon: could not find an available, non-overlapping IPv4 address pool"
	newFakeDocker(t, answers)
	p := small(t, Options{}, nil)
	_, err := p.createCluster(t.Context(), quietly)
	mustSay(t, err, "make the cluster", "could not find an available, non-overlapping IPv4 address pool")
	if _, err := os.Stat(p.makingMark()); err == nil {
		t.Error("nothing was made, and it is taken for a cluster that was not made to the end")
	}
}

func TestNodeImageIsNotPulledWhenItIsThere(t *testing.T) {
	docker := newFakeDocker(t, map[string]string{"image": "sha256:1234"})
	if err := newKindCluster(nodeConfig{}).obtain(t.Context(), "kindest/node:v1.34.2", quietly); err != nil {
		t.Error(err)
	}
	if strings.Contains(docker.asked(t), "pull") {
		t.Error("it was pulled")
	}
}

func TestDockerIsAskedOnceForImagesThatAreAllThere(t *testing.T) {
	docker := newFakeDocker(t, map[string]string{"image": "sha256:1\nsha256:2"})
	both := []string{"a:1", "b:1"}
	if ids := imageIDs(t.Context(), both); len(ids) != 2 || ids["a:1"] != "sha256:1" || ids["b:1"] != "sha256:2" {
		t.Errorf("of two that are there: %v", ids)
	}
	if asked := strings.Count(docker.asked(t), "\n"); asked != 1 {
		t.Errorf("docker was asked %d times", asked)
	}
	docker.answers(t, "image", "sha256:2\n!Error: No such image: a:1") // as it answers when one of them is not there
	if ids := imageIDs(t.Context(), both); len(ids) != 0 {
		t.Errorf("of one that is there, whichever it is: %v", ids)
	}
	if asked := strings.Count(docker.asked(t), "\n"); asked != 1+3 {
		t.Errorf("docker was asked %d times, and then for both, and for each", asked)
	}
	if ids := imageIDs(t.Context(), nil); len(ids) != 0 {
		t.Errorf("of none: %v", ids)
	}
}

func TestWhatIsAtFaultWhenImagesAreNotBuilt(t *testing.T) {
	base := buildError(io.ErrUnexpectedEOF, "Error: failed to publish images: error building: fetching base image: no such host", "example.com/base:1")
	mustSay(t, base, "the base image example.com/base:1 is not on this machine and cannot be pulled", "no such host", "images.references.base", BaseImageVariable, "docker load")
	code := buildError(io.ErrUnexpectedEOF, "services/orders/main.go:3:1: undefined: x", "example.com/base:1")
	mustSay(t, code, "main.go:3:1: undefined: x", "go build ./...")
	if strings.Contains(code.Error(), "example.com/base") {
		t.Errorf("the base image is blamed for code: %v", code)
	}
}

func TestTwoAtOnceAreRefused(t *testing.T) {
	newFakeDocker(t, ableDocker())
	p := small(t, Options{}, nil)
	unlock, err := p.lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Up(t.Context())
	mustSay(t, err, "another command is changing the cluster")
	_, err = p.Down(t.Context())
	mustSay(t, err, "another command is changing the cluster")
	unlock()
	if _, err := p.Down(t.Context()); err != nil {
		t.Error(err)
	}
}
