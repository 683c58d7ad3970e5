package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// dialTimeout is how long a broker may take to let somebody connect.
const dialTimeout = 3 * time.Second

func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Look after the events that services could not handle",
		Long: `An event that a service fails to handle, again and again, becomes a dead letter of that service: it is kept, with the cause, and the
events after it go on. Once the cause is mended, redrive hands it to that service again, and to no other.`,
		Example: `  scaffold events dlq list orders
  scaffold events dlq show orders 0-17
  scaffold events dlq redrive orders --all`,
		Args: a.knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	dlq := &cobra.Command{
		Use:   "dlq",
		Short: "List, show and redrive a service's dead letters",
		Long: `Without --brokers it asks the Kafka of the platform that runs on this machine: see scaffold up.

Events that a service could not publish are no dead letters; they wait in the outbox, in the service's own database.`,
		Example: `  scaffold events dlq list orders
  scaffold events dlq list orders --brokers kafka-1:9092,kafka-2:9092 --json | jq '.[].cause'
  scaffold events dlq show orders 0-17                # with the payload
  scaffold events dlq redrive orders --limit 1        # the oldest, to see whether it works
  scaffold events dlq redrive orders --all`,
		Args: a.knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	q := &queue{app: a}
	dlq.PersistentFlags().StringSliceVar(&q.brokers, "brokers", nil, "host:port of Kafka brokers (default: those of scaffold up)")
	dlq.PersistentFlags().BoolVar(&q.json, "json", false, "print JSON")
	completeFlag(dlq, "brokers", cobra.NoFileCompletions)
	dlq.AddCommand(q.listCommand(), q.showCommand(), q.redriveCommand())
	cmd.AddCommand(dlq)
	return cmd
}

// queue is what a command knows of the dead letters it is about.
type queue struct {
	*app
	brokers []string
	json    bool
}

func (q *queue) listCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "list SERVICE",
		Short: "List a service's dead letters, oldest first, without their payloads",
		Example: `  scaffold events dlq list orders
  scaffold events dlq list orders --limit 10 --json`,
		Args:              arguments(1, 1, "scaffold events dlq list orders"),
		ValidArgsFunction: q.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usage("list: --limit %d: give 0, for all, or more", limit)
			}
			return q.open(cmd.Context(), args[0], func(letters *event.DeadLetters) error {
				all, err := letters.List(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return q.list(args[0], all)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "how many at most; 0 for all")
	completeFlag(cmd, "limit", cobra.NoFileCompletions)
	return cmd
}

func (q *queue) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show SERVICE ID",
		Short: "Show a dead letter with its payload, which may hold what is nobody else's business",
		Example: `  scaffold events dlq show orders 0-17
  scaffold events dlq show orders 0-17 --json | jq -r .payload`,
		Args:              arguments(2, 2, "scaffold events dlq show orders 0-17"),
		ValidArgsFunction: q.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.open(cmd.Context(), args[0], func(letters *event.DeadLetters) error {
				all, err := letters.List(cmd.Context(), 0)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(all, func(l event.DeadLetter) bool { return l.ID() == args[1] })
				if i < 0 {
					return fmt.Errorf("%s has no dead letter %s: `scaffold events dlq list %s` tells which there are", args[0], args[1], args[0])
				}
				return q.show(all[i])
			})
		},
	}
}

func (q *queue) redriveCommand() *cobra.Command {
	var limit int
	var all bool
	cmd := &cobra.Command{
		Use:   "redrive SERVICE",
		Short: "Hand a service its dead letters again, oldest first",
		Long: `Redrive hands a service its dead letters again, oldest first; no other service sees them. One that fails again becomes a dead letter
again. Two at a time would redrive some letters twice.`,
		Example: `  scaffold events dlq redrive orders --limit 1
  scaffold events dlq redrive orders --all`,
		Args:              arguments(1, 1, "scaffold events dlq redrive orders --all"),
		ValidArgsFunction: q.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (limit != 0) || limit < 0 {
				return usage("redrive: say how many: --all, or --limit with 1 or more")
			}
			return q.open(cmd.Context(), args[0], func(letters *event.DeadLetters) error {
				n, err := letters.Redrive(cmd.Context(), limit)
				return errors.Join(q.redriven(args[0], n), err)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "how many at most")
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	completeFlag(cmd, "limit", cobra.NoFileCompletions)
	return cmd
}

// open opens a service's dead letters for the time of one function.
func (q *queue) open(ctx context.Context, service string, fn func(*event.DeadLetters) error) error {
	brokers, err := q.known(service)
	if err != nil {
		return err
	}
	if err := reachable(ctx, brokers); err != nil {
		remedy := "is the platform running? Start it with `scaffold up`, or give --brokers"
		if len(q.brokers) > 0 {
			remedy = "give the right --brokers"
		}
		return fmt.Errorf("no Kafka answers: %w: %s", err, remedy)
	}
	letters, err := event.OpenDeadLetters(event.Connection{Brokers: brokers}, service)
	if err != nil {
		return err
	}
	return errors.Join(fn(letters), letters.Close())
}

// known gives the brokers to ask about a service that is declared.
func (q *queue) known(service string) (brokers []string, err error) {
	err = q.with(func(s *session) error {
		m, err := spec.Load(s.FS())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(m.Services, func(d *spec.Service) bool { return d.Name == service })
		switch {
		case i < 0:
			return fmt.Errorf("there is no service %s: there are %s", service, strings.Join(namesOf(m), ", "))
		case len(m.Services[i].Events.Consumes) == 0:
			return fmt.Errorf("%s consumes no events, so it has no dead letters: see events.consumes in its service.yaml", service)
		}
		brokers = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Platform.Local.PortBase))} // where package local has Kafka
		return nil
	})
	if len(q.brokers) > 0 {
		brokers = q.brokers
	}
	return brokers, err
}

func namesOf(m *spec.Model) []string {
	names := make([]string, len(m.Services))
	for i, s := range m.Services {
		names[i] = s.Name
	}
	return names
}

// reachable tells whether one of the brokers can be connected to: Kafka's clients try for long, and say little.
func reachable(ctx context.Context, brokers []string) error {
	var errs []error
	for _, broker := range brokers {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", broker)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// letter is a dead letter as it is printed. What it holds may be anybody's text.
type letter struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Type      string    `json:"type"`
	EventID   string    `json:"eventId"`
	Key       string    `json:"key"`
	Attempts  int       `json:"attempts"`
	Origin    string    `json:"origin"`
	Cause     string    `json:"cause"`
	Truncated bool      `json:"truncated,omitempty"`
}

func printable(l event.DeadLetter) letter {
	p := letter{
		ID: l.ID(), Time: l.Time, Key: clean(l.Key), Attempts: l.Attempts, Origin: clean(l.Origin),
		Cause: clean(telemetry.Redact(l.Cause)), Truncated: l.Truncated,
	}
	if l.Event.Context != nil {
		p.Type, p.EventID = clean(l.Event.Type()), clean(l.Event.ID())
	}
	return p
}

// clean leaves nothing that a terminal would obey, and makes one line of it.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func (q *queue) list(service string, all []event.DeadLetter) error {
	letters := make([]letter, len(all))
	for i, l := range all {
		letters[i] = printable(l)
	}
	if q.json {
		return json.NewEncoder(q.Out).Encode(letters)
	}
	if len(letters) == 0 {
		q.say("%s has no dead letters\n", service)
		return nil
	}
	t := tabwriter.NewWriter(q.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tTIME\tTYPE\tKEY\tATTEMPTS\tORIGIN\tCAUSE")
	for _, l := range letters {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n",
			l.ID, l.Time.Local().Format(time.DateTime), orDash(l.Type), orDash(l.Key), l.Attempts, l.Origin, shorten(l.Cause))
	}
	return t.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// shorten keeps a line a line; show has all of it.
func shorten(text string) string {
	const longest = 100
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return text
}

func (q *queue) show(l event.DeadLetter) error {
	p := printable(l)
	if q.json {
		shown := struct {
			letter
			Payload string `json:"payload,omitempty"`
			Base64  string `json:"payloadBase64,omitempty"` // of what is no text
		}{letter: p, Payload: string(l.Value)}
		if !utf8.Valid(l.Value) {
			shown.Payload, shown.Base64 = "", base64.StdEncoding.EncodeToString(l.Value)
		}
		return json.NewEncoder(q.Out).Encode(shown)
	}
	t := tabwriter.NewWriter(q.Out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"id", p.ID}, {"time", p.Time.Local().Format(time.DateTime)}, {"type", orDash(p.Type)}, {"event", orDash(p.EventID)},
		{"key", orDash(p.Key)}, {"attempts", strconv.Itoa(p.Attempts)}, {"origin", p.Origin}, {"cause", p.Cause},
	} {
		fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if p.Truncated {
		q.say("\nThe payload was too large to be kept: it is at the origin.\n")
		return nil
	}
	q.say("\n%s\n", payload(l.Value))
	return nil
}

// payload is fit for a terminal: JSON indented, anything else cleaned.
func payload(value []byte) string {
	lines := strings.Split(string(value), "\n")
	var parsed any
	if json.Unmarshal(value, &parsed) == nil {
		if text, err := json.MarshalIndent(json.RawMessage(value), "", "  "); err == nil {
			lines = strings.Split(string(text), "\n")
		}
	}
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (q *queue) redriven(service string, n int) error {
	if q.json {
		return json.NewEncoder(q.Out).Encode(map[string]int{"redriven": n})
	}
	switch n {
	case 0:
		q.say("nothing was redriven: see scaffold events dlq list %s\n", service)
	case 1:
		q.say("1 event is on its way to %s again\n", service)
	default:
		q.say("%d events are on their way to %s again\n", n, service)
	}
	return nil
}
