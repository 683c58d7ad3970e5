package local_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/local"
)

func TestATakenPortSaysByWhatAndWhatToDo(t *testing.T) {
	m := model()
	m.Platform.Local.PortBase = 14000
	for local.CheckPorts(m) != nil { // room that nobody else uses now
		m.Platform.Local.PortBase += 20
	}
	port := m.Platform.Local.PortBase + 12 // front's API
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	o := options(t, io.Discard)
	o.FreePorts, o.Model = false, m

	_, err = local.Start(t.Context(), o)
	var taken *local.PortTaken
	if !errors.As(err, &taken) || taken.Port != port {
		t.Fatalf("Start: %v", err)
	}
	want := []string{"(front API) is taken by", "local.portBase in platform.yaml"}
	if runtime.GOOS == "linux" {
		want = append(want, "pid "+itoa(os.Getpid())+" ("+os.Args[0])
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}

func TestPortsMustFitTheRange(t *testing.T) {
	m := model()
	for _, base := range []int{0, 65530} {
		m.Platform.Local.PortBase = base
		if err := local.CheckPorts(m); err == nil || !strings.Contains(err.Error(), "platform.yaml") {
			t.Errorf("port base %d: %v", base, err)
		}
	}
}
