package proof

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// isolatedEnv is set in the process that runs in namespaces of its own, to the file that is its /etc/hosts.
const isolatedEnv = "TRELLIS_PROOF_HOSTS"

// isolate runs this program again, with the same arguments, in a user, network and mount namespace of its own, and gives its
// exit status. There it is root over its own network, and a stray dial finds no route instead of somebody else's machine.
func isolate(hosts string, env ...string) (int, error) {
	// Pdeathsig is about the thread that starts the process, not the whole program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	cmd := exec.Command(os.Args[0], os.Args[1:]...) //nolint:gosec // this very program
	cmd.Env = append(append(os.Environ(), env...), isolatedEnv+"="+hosts)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: one(os.Getuid()), GidMappings: one(os.Getgid()),
		Pdeathsig: syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	}
	return 1, fmt.Errorf("run in namespaces of its own: %w (the kernel must allow user namespaces: sysctl user.max_user_namespaces, "+
		"kernel.apparmor_restrict_unprivileged_userns)", err)
}

// isolated reports whether this process is the one in the namespaces.
func isolated() bool { return os.Getenv(isolatedEnv) != "" }

// mountHosts puts the file of names that setHosts writes in the place of /etc/hosts. Envoy looks there for hosts outside the
// mesh.
func mountHosts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount(os.Getenv(isolatedEnv), "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /etc/hosts: %w", err)
	}
	return nil
}

// setHosts says which addresses names have.
func setHosts(addresses map[string]string) error {
	text := "127.0.0.1 localhost\n"
	for name, address := range addresses {
		text += address + " " + name + "\n"
	}
	if err := os.WriteFile(os.Getenv(isolatedEnv), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the names of hosts: %w", err)
	}
	return nil
}
