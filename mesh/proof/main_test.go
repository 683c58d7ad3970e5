package proof

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if isolated() {
		if err := mountHosts(); err != nil {
			fatal(err)
		}
		os.Exit(m.Run())
	}
	code, err := outside()
	if err != nil {
		fatal(err)
	}
	os.Exit(code)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "mesh/proof:", err)
	os.Exit(1)
}

// outside prepares what cannot be had in a network of one's own, and runs the tests there.
func outside() (int, error) {
	program, err := findEnvoy()
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "mesh-proof-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	scaffold := filepath.Join(dir, "scaffold")
	build := exec.Command("go", "build", "-o", scaffold, "./cmd/scaffold")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build scaffold: %w\n%s", err, out)
	}
	hosts := filepath.Join(dir, "hosts")
	if err := os.WriteFile(hosts, nil, 0o600); err != nil {
		return 1, err
	}
	return isolate(hosts, envoyEnv+"="+program, scaffoldEnv+"="+scaffold)
}

// findEnvoy gives the program named by TRELLIS_ENVOY, or else the one that .ci/setup fetches.
func findEnvoy() (string, error) {
	program := os.Getenv(envoyEnv)
	if program == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		program = filepath.Join(cache, "trellis", "envoy", envoyVersion, "envoy")
	}
	if _, err := os.Stat(program); errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("there is no Envoy at %s: run .ci/setup, or name another one in %s", program, envoyEnv)
	}
	return filepath.Abs(program)
}
