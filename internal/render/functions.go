package render

import (
	"fmt"
	"maps"
	"path"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"

	"github.com/trellis-mesh/trellis/internal/render/dashboard"
)

// functions are what templates may call: sprig's, without those that ask the clock, the environment, the network or chance,
// and a few of our own.
var functions = templateFunctions()

func templateFunctions() template.FuncMap {
	all := sprig.HermeticTxtFuncMap()
	maps.Copy(all, template.FuncMap{
		"duration":   goDuration,
		"time":       meshDuration,
		"dir":        path.Dir,
		"article":    article,
		"phrase":     phrase,
		"goName":     goName,
		"snake":      snake,
		"yamlString": yamlString,
		"goStrings":  goStrings,
		"dashboard":  platformDashboard,
	})
	return all
}

// goDuration writes a duration as Go code: 800 * time.Millisecond.
func goDuration(d time.Duration) string {
	units := []struct {
		unit time.Duration
		name string
	}{{time.Hour, "time.Hour"}, {time.Minute, "time.Minute"}, {time.Second, "time.Second"}, {time.Millisecond, "time.Millisecond"},
		{time.Microsecond, "time.Microsecond"}}
	for _, u := range units {
		switch {
		case d == u.unit:
			return u.name
		case d != 0 && d%u.unit == 0:
			return fmt.Sprintf("%d * %s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d", d)
}

// platformDashboard is the text of one of the platform's dashboards.
func platformDashboard(name string) (string, error) {
	d := dashboard.Platform()[name]
	if d == nil {
		return "", fmt.Errorf("the platform has no dashboard %q", name)
	}
	text, err := d.JSON()
	return string(text), err
}

// article is the noun with a or an before it.
func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeio", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// yamlString quotes a text for YAML: a JSON string is one.
func yamlString(s string) string { return fmt.Sprintf("%q", s) }

// goStrings writes a list of texts as the inside of a Go literal.
func goStrings(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(quoted, ", ")
}
