package chassis

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
)

// keys lists what can be configured about this service; the keys of what it does not use are left out.
func (s *settings) keys(spec Spec) ([]config.Key, error) {
	common, err := s.source.Keys(&s.Service)
	if err != nil {
		return nil, err
	}
	own, err := s.source.Keys(&s.migration)
	if err != nil {
		return nil, err
	}
	secured, err := httpserver.ContractSecured(spec.Contract)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	unused := map[string]bool{
		"auth":     !secured,
		"database": !spec.Database,
		"redis":    !spec.Cache,
		"kafka":    len(spec.Publishes)+len(spec.Consumes) == 0,
	}
	all := slices.DeleteFunc(append(common, own...), func(k config.Key) bool {
		group, _, _ := strings.Cut(k.Path, ".")
		return unused[group]
	})
	slices.SortFunc(all, func(a, b config.Key) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}

// print shows each key's value and where it came from; secrets stay masked.
func (s *settings) print(w io.Writer, spec Spec) error {
	keys, err := s.keys(spec)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range keys {
		fmt.Fprintf(t, "%s:\t%s\t# %s\n", k.Path, k.Value, s.source.Origin(k.Path))
	}
	return t.Flush()
}

const helpHead = `%[1]s serves its API until SIGTERM or Ctrl-C, then stops in order; a second signal stops it at once.

Usage:
  %[2]s                  serve
  %[2]s --migrate        bring the database up to date and exit, as a job before a rollout does
  %[2]s --print-config   show the configuration in force and where each value comes from; secrets stay masked
  %[2]s --version
  %[2]s --help

Configuration, the later winning: default, the YAML file that CONFIG_FILE names, environment variable. A text can also be
read from a file: put its path into the variable with _FILE at the end, as in APP_DATABASE_URL_FILE=/run/secrets/database-url.

`

// help teaches how to run the service: its flags, and its keys with defaults and variables.
func help(w io.Writer, spec Spec) error {
	source, err := config.Open(config.Options{Names: names(spec)})
	if err != nil {
		return err
	}
	keys, err := (&settings{source: source}).keys(spec)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, helpHead, version(spec), spec.Name)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  KEY\tVARIABLE\tDEFAULT\tMEANING")
	for _, k := range keys {
		if k.Path == "http.addr" && spec.Port != 0 {
			k.Default = fmt.Sprintf(":%d", spec.Port)
		}
		if k.Required {
			k.Default = "(needed)"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", k.Path, strings.Join(k.Variables, ", "), cmp.Or(k.Default, "-"), k.Doc)
	}
	return t.Flush()
}
