package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// ask fills in a wish by questions. What the flags say already is what the questions begin with.
func (a *app) ask(ctx context.Context, m *spec.Model, w *wish) error {
	var publish string
	if w.database == "" {
		w.database = "none"
	}
	if w.cache == "" {
		w.cache = "none"
	}
	groups := []*huh.Group{
		huh.NewGroup(
			huh.NewInput().Title("Name").Description("A DNS label, such as greeter or order-history.").Value(&w.name).Validate(freeName(m)),
			huh.NewInput().Title("Resource").Description("The noun that its API serves; leave it empty for the name without a final s.").Value(&w.resource),
		),
		huh.NewGroup(
			huh.NewSelect[string]().Title("Database").Options(huh.NewOptions("none", "postgres")...).Value(&w.database),
			huh.NewSelect[string]().Title("Cache").Options(huh.NewOptions("none", "redis")...).Value(&w.cache),
		),
	}
	if all := operations(m); len(all) > 0 {
		groups = append(groups, huh.NewGroup(huh.NewMultiSelect[string]().Title("Which operations does it call?").
			Options(huh.NewOptions(all...)...).Value(&w.calls)))
	}
	groups = append(groups, huh.NewGroup(huh.NewInput().Title("Which events does it publish?").
		Description("Event types with commas between, such as greeting.created.v1; empty for none.").Value(&publish).Validate(eventList)))
	if all := published(m); len(all) > 0 {
		groups = append(groups, huh.NewGroup(huh.NewMultiSelect[string]().Title("Which events does it consume?").
			Options(huh.NewOptions(all...)...).Value(&w.consume)))
	}
	form := huh.NewForm(groups...).WithInput(a.In).WithOutput(a.Out).WithAccessible(a.Accessible)
	if a.Getenv("NO_COLOR") != "" {
		form = form.WithTheme(huh.ThemeBase())
	}
	lipgloss.SetHasDarkBackground(lipgloss.NewRenderer(os.Stdout).HasDarkBackground()) // only now: see package termquery
	if err := form.RunWithContext(ctx); err != nil {
		if errors.Is(err, huh.ErrUserAborted) || ctx.Err() != nil {
			return refuse(errors.New("no answers, no service"))
		}
		return fmt.Errorf("ask: %w", err)
	}
	w.publish = append(w.publish, words(publish)...)
	w.calls = groupCalls(w.calls)
	return nil
}

// freeName accepts a name that a service can have and none has.
func freeName(m *spec.Model) func(string) error {
	return func(name string) error {
		if m.Service(name) != nil {
			return fmt.Errorf("there is a service %s already", name)
		}
		return parses(name, spec.Options{})
	}
}

func eventList(text string) error {
	return parses("example", spec.Options{Publishes: words(text)})
}

// parses reports what is wrong with a declaration, in one line.
func parses(name string, o spec.Options) error {
	_, err := spec.ParseService(folder(name)+"/"+spec.ServiceFile, spec.NewService(name, o))
	if problems := (spec.Problems)(nil); errors.As(err, &problems) {
		return errors.New(problems[0].Message)
	}
	return err
}

// published are the event types that somebody publishes, sorted.
func published(m *spec.Model) []string {
	var out []string
	for _, s := range m.Services {
		out = append(out, s.Events.Publishes...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// groupCalls joins the operations of one service: catalog:a and catalog:b make catalog:a,b.
func groupCalls(calls []string) []string {
	var out []string
	at := make(map[string]int)
	for _, text := range calls {
		c, err := parseCall(text)
		if err != nil {
			out = append(out, text)
			continue
		}
		for _, operation := range c.Operations {
			if i, known := at[c.Service]; known {
				out[i] += "," + operation
				continue
			}
			at[c.Service] = len(out)
			out = append(out, c.Service+":"+operation)
		}
	}
	return out
}
