package chassis

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/flag"
)

func TestFlagsComeFromFileAndEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.yaml")
	if err := os.WriteFile(path, []byte("flags: {a: {value: file}, b: {value: file}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags *flag.Flags
	s, stop := serving(t, Spec{Name: "shop"}, func(ctx context.Context, s *Service) (err error) {
		flags, err = s.Flags(ctx)
		return err
	}, Options{Environ: environment("APP_FLAGS_FILE="+path, "APP_FLAGS_SET=b=variable,c=true")})
	if a, b := flags.String(t.Context(), "a", "", ""), flags.String(t.Context(), "b", "", ""); a != "file" || b != "variable" {
		t.Errorf("a is %q and b %q", a, b)
	}
	if !flags.Bool(t.Context(), "c", false, "") {
		t.Error("c is not set")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.AdminAddr()+"/flags", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), `"b":{"value":"variable"}`) {
		t.Errorf("shown %s, %v", text, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAServiceDoesNotStartWithBrokenFlags(t *testing.T) {
	err := Run(t.Context(), Spec{Name: "shop"}, func(ctx context.Context, s *Service) error {
		_, err := s.Flags(ctx)
		return err
	}, Options{Environ: environment("APP_FLAGS_FILE=/no/such/file")})
	if err == nil || !strings.Contains(err.Error(), "flags: read /no/such/file") {
		t.Errorf("error %v", err)
	}
}
