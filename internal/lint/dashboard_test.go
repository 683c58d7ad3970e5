package lint

import (
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render/dashboard"
)

func dashboardFiles(t *testing.T, change func(name string, d *dashboard.Dashboard)) []plan.File {
	t.Helper()
	var files []plan.File
	for name, d := range dashboard.Platform() {
		change(name, d)
		text, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, plan.File{Path: "observability/grafana/dashboards/" + name + ".json", Content: text})
	}
	return files
}

func TestDashboardsOfThePlatformAreSound(t *testing.T) {
	for _, p := range dashboards(dashboardFiles(t, func(string, *dashboard.Dashboard) {})) {
		t.Error(p)
	}
}

func TestDashboardMistakesAreFound(t *testing.T) {
	first := func(d *dashboard.Dashboard, kind string) *dashboard.Panel {
		for i := range d.Panels {
			if d.Panels[i].Type == kind {
				return &d.Panels[i]
			}
		}
		t.Fatalf("the overview has no panel of the kind %s", kind)
		return nil
	}
	for name, c := range map[string]struct {
		breaks func(d *dashboard.Dashboard)
		want   string
	}{
		"overlap":                         {func(d *dashboard.Dashboard) { first(d, "timeseries").GridPos.H += 3 }, "lie on each other"},
		"too far right":                   {func(d *dashboard.Dashboard) { first(d, "timeseries").GridPos.X = 20 }, "there are 24"},
		"no size":                         {func(d *dashboard.Dashboard) { first(d, "stat").GridPos.W = 0 }, "has no size"},
		"no unit":                         {func(d *dashboard.Dashboard) { first(d, "timeseries").FieldConfig.Defaults.Unit = "" }, "has no unit"},
		"no description":                  {func(d *dashboard.Dashboard) { first(d, "stat").Description = "" }, "has no description"},
		"no legend":                       {func(d *dashboard.Dashboard) { first(d, "timeseries").Targets[0].LegendFormat = "" }, "no legend"},
		"no title":                        {func(d *dashboard.Dashboard) { first(d, "stat").Title = "" }, "has no title"},
		"title twice":                     {func(d *dashboard.Dashboard) { first(d, "stat").Title = first(d, "timeseries").Title }, "two panels are called"},
		"id twice":                        {func(d *dashboard.Dashboard) { first(d, "stat").ID = first(d, "timeseries").ID }, "have the id"},
		"no query":                        {func(d *dashboard.Dashboard) { first(d, "stat").Targets = nil }, "asks nothing"},
		"empty query":                     {func(d *dashboard.Dashboard) { first(d, "stat").Targets[0].Expr = " " }, "is empty"},
		"ref twice":                       {func(d *dashboard.Dashboard) { p := first(d, "table"); p.Targets[1].RefID = p.Targets[0].RefID }, "two queries"},
		"unknown source":                  {func(d *dashboard.Dashboard) { first(d, "stat").Targets[0].Datasource.UID = "graphite" }, "Grafana does not have"},
		"no source":                       {func(d *dashboard.Dashboard) { first(d, "stat").Datasource = nil }, "has no data source"},
		"unknown variable":                {func(d *dashboard.Dashboard) { first(d, "stat").Targets[0].Expr = `up{pod="$pod"}` }, "the variable $pod"},
		"no such variable for the source": {func(d *dashboard.Dashboard) { d.Templating.List = d.Templating.List[1:] }, "the variable $datasource"},
		"variable without a value":        {func(d *dashboard.Dashboard) { d.Templating.List[1].Current = nil }, "no value at first"},
		"variable without All":            {func(d *dashboard.Dashboard) { d.Templating.List[1].AllValue = "" }, "no value for All"},
		"no UID":                          {func(d *dashboard.Dashboard) { d.UID = "" }, "no UID"},
		"UID of another":                  {func(d *dashboard.Dashboard) { d.UID = dashboard.MeshUID }, "is also that of"},
		"long UID":                        {func(d *dashboard.Dashboard) { d.UID = strings.Repeat("x", 41) }, "Grafana takes 40"},
		"dead link":                       {func(d *dashboard.Dashboard) { d.Links[0].URL = "/d/trellis-gone?from=now" }, "trellis-gone, which is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			found := dashboards(dashboardFiles(t, func(name string, d *dashboard.Dashboard) {
				if name == "overview" {
					c.breaks(d)
				}
			}))
			for _, p := range found {
				if strings.Contains(p.String(), c.want) {
					return
				}
			}
			t.Errorf("nothing says %q: %v", c.want, found)
		})
	}
}
