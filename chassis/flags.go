package chassis

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// mode is what the command line asks for.
type mode string

const (
	serve       mode = ""
	showVersion mode = "--version"
	showHelp    mode = "--help"
	showConfig  mode = "--print-config"
	migrate     mode = "--migrate"
)

// parse reads the command line, which has one flag at most: everything else is configuration.
func parse(spec Spec, args []string) (mode, error) {
	if len(args) == 0 {
		return serve, nil
	}
	flag := mode("--" + strings.TrimLeft(args[0], "-"))
	if flag == "--h" {
		flag = showHelp
	}
	switch flag {
	case showVersion, showHelp, showConfig, migrate:
		if len(args) == 1 && strings.HasPrefix(args[0], "-") {
			return flag, nil
		}
	}
	return "", fmt.Errorf("%w: %s: %s --help tells what there is", ErrUsage, strings.Join(args, " "), spec.Name)
}

func version(spec Spec) string {
	return fmt.Sprintf("%s %s (%s %s/%s)", spec.Name, spec.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// builtVersion is the version that the Go command stamped the program with: a tag, or else the commit.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unversioned"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unversioned"
}

func show(w io.Writer, spec Spec, mode mode) error {
	if mode == showHelp {
		return help(w, spec)
	}
	_, err := fmt.Fprintln(w, version(spec))
	return err
}
