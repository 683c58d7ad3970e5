package local

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PortHolder says which process has the port, as "pid 12 (command)", or nothing when the system does not tell: the sockets
// of another user's processes are not readable.
func PortHolder(port int) string {
	inodes := sockets(port)
	links, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil {
		return ""
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		inode, isSocket := strings.CutPrefix(target, "socket:[")
		if !isSocket || !inodes[strings.TrimSuffix(inode, "]")] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		command, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		if err != nil {
			continue
		}
		return fmt.Sprintf("pid %s (%s)", pid, bytes.TrimSpace(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	return ""
}

// sockets are the inodes of the TCP sockets with that local port, listening or connected, see proc_pid_net(5).
func sockets(port int) map[string]bool {
	const (
		localAddress = 1
		inode        = 9
	)
	out := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) <= inode || fields[inode] == "0" {
				continue
			}
			_, hex, _ := strings.Cut(fields[localAddress], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
				out[fields[inode]] = true
			}
		}
	}
	return out
}
