//go:build kind

package kind

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/trellis-mesh/trellis/internal/render/dashboard"
	"github.com/trellis-mesh/trellis/test/market"
)

// afterMishaps are metrics of what does not happen in a shop that is well; test/observe has it happen, and tests before this one may have.
// istiod tells proxies of nothing when nothing changes, and orders asks inventory and shipping only where the flag "fulfilment" has it call
// rather than tell by events.
var afterMishaps = regexp.MustCompile(`outcome="dead"|_failures_total|_retries_total|_refused_total|_panics_total|_redirects_total|_moves_total|_freeze_|` +
	`_copied_keys_|upstream_rq_retry_success|_lost_total|_refunded_|_conflicts_total|_snapshots_total|eventstore_|twophase_|saga_|flag_|pilot_proxy_convergence_|callee="(inventory|shipping)"`)

// TestEveryDashboardQueryHasData asks the cluster's Prometheus each query of each dashboard, with its variables filled in. Only what needs
// metrics of Istio's own proxies is listed instead where these are not there.
func TestEveryDashboardQueryHasData(t *testing.T) {
	s := theShop(t)
	queries, err := dashboard.Queries(os.DirFS(root), nil)
	if err != nil {
		t.Fatal(err)
	}
	istio := os.Getenv("TRELLIS_ENVIRONMENT") != "lab" // whose proxies are not Istio's own
	var open, ofLogs, left, quiet []dashboard.Query
	for _, q := range queries {
		switch {
		case q.Source == "loki":
			ofLogs = append(ofLogs, q) // see the order's
		case q.Needs() == dashboard.Istio && !istio:
			left = append(left, q)
		default:
			open = append(open, q)
		}
	}
	s.shopOnce(t)
	load := s.goOn(t, 20, s.traffic(t)) // so that rates are of something
	defer load.Stop()
	asked := len(open)
	eventually(t, 5*time.Minute, func() error {
		if err := s.everyWay(t); err != nil { // again and again, since a rate is of what was counted twice
			return err
		}
		var err error
		if open, err = s.without(t, open, s.instant); err != nil {
			return err
		}
		var empty []dashboard.Query
		quiet = nil
		for _, q := range open {
			if afterMishaps.MatchString(q.Expr) {
				quiet = append(quiet, q)
			} else {
				empty = append(empty, q)
			}
		}
		if len(empty) > 0 {
			return fmt.Errorf("%d queries have no data: %v", len(empty), empty)
		}
		return nil
	})
	now := asked - len(quiet)
	eventually(t, time.Minute, func() (err error) {
		quiet, err = s.without(t, quiet, s.everHad)
		return err
	})
	rows := [][]any{
		{"QUERIES", "NUMBER"}, {"with data", now}, {"with data of the last hour", asked - now - len(quiet)}, {"of logs", len(ofLogs)},
		{"of mishaps that did not happen", len(quiet)},
	}
	for _, q := range quiet {
		rows = append(rows, []any{"  " + q.String(), ""})
	}
	rows = append(rows, []any{"of metrics of Istio's own proxies, which are not here", len(left)})
	for _, q := range left {
		rows = append(rows, []any{"  " + q.String(), ""})
	}
	table(t, "Every query of every dashboard", rows...)
}

// shopOnce fills the shop with a little, with keys and cards, and opens an account.
func (s *shop) shopOnce(t *testing.T) {
	t.Helper()
	outside, err := market.Cluster(t.Context(), root, s.gateway)
	if err != nil {
		t.Fatal(err)
	}
	plan := market.Plan{Seed: uint64(time.Now().UnixNano()), Products: 3, Users: 4, Orders: 8}
	filled, err := market.Fill(t.Context(), outside, plan, market.Options{})
	if err != nil || filled.Failed() > 0 {
		t.Fatalf("fill the shop: %v: %+v", err, filled)
	}
	account := map[string]any{"owner": "ada", "opening": map[string]string{"amount": "1.00", "currency": "EUR"}}
	a, err := s.ask(t.Context(), "POST", "/v1/accounts", map[string]string{"Idempotency-Key": unique()}, account)
	if err != nil || !a.OK() {
		t.Fatalf("open an account: %v: %d %s%s", err, a.Status, a.Body, a.Error)
	}
}

// everyWay goes the ways that no other load does: somebody registers, news and payments ask the monolith, and each service that calls
// others asks each of them for one thing. What they answer is not looked at.
func (s *shop) everyWay(t *testing.T) error {
	t.Helper()
	if _, err := s.newCustomer(t.Context(), "Grace"); err != nil {
		return err
	}
	card := map[string]any{"customerId": s.customer, "card": market.Card(market.GoodCard)}
	for path, body := range map[string]any{"/v1/refreshes": nil, "/v1/payment-methods": card} {
		if _, err := s.ask(t.Context(), "POST", path, nil, body); err != nil {
			return err
		}
	}
	token, err := s.Token(t.Context())
	if err != nil {
		return err
	}
	for _, caller := range s.Model.Services {
		for _, callee := range sorted(caller.Calls) {
			operation := s.Model.Service(callee).Contract.Operations[caller.Calls[callee].Operations[0]]
			s.probeOf(t, caller.Name).send(t, s.requestTo(callee, operation, token))
		}
	}
	return nil
}

// without leaves out the queries that have data; an error is of those that could not be asked.
func (s *shop) without(t *testing.T, all []dashboard.Query, series func(*testing.T, string) (int, error)) ([]dashboard.Query, error) {
	t.Helper()
	var problems []error
	left := slices.DeleteFunc(slices.Clone(all), func(q dashboard.Query) bool {
		n, err := series(t, q.Expr)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", q, err))
		}
		return n > 0
	})
	return left, errors.Join(problems...)
}

// instant gives how many series a query has now.
func (s *shop) instant(t *testing.T, expr string) (int, error) {
	t.Helper()
	return s.queried(t, "query", url.Values{"query": {expr}})
}

// everHad gives how many series a query has had within an hour.
func (s *shop) everHad(t *testing.T, expr string) (int, error) {
	t.Helper()
	at := func(ago time.Duration) string { return strconv.FormatInt(time.Now().Add(-ago).Unix(), 10) }
	return s.queried(t, "query_range", url.Values{"query": {expr}, "start": {at(time.Hour)}, "end": {at(0)}, "step": {"15"}})
}

func (s *shop) queried(t *testing.T, kind string, question url.Values) (int, error) {
	t.Helper()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err := s.dashboard(t, "prometheus.localhost", "/api/v1/"+kind, question, &answer)
	return len(answer.Data.Result), err
}

// TestTheLogsOfAnOrderAreFoundByItsTrace places an order, and finds in Loki what the services wrote of it.
func TestTheLogsOfAnOrderAreFoundByItsTrace(t *testing.T) {
	s := theShop(t)
	trace := strings.ReplaceAll(unique(), "kind-", "") + "0123456789abcdef"
	a, err := s.ask(t.Context(), "POST", "/v1/orders", map[string]string{"Traceparent": "00-" + trace + "-0123456789abcdef-01"}, s.orderOf(1))
	if err != nil {
		t.Fatal(err)
	}
	var made placed
	if err := decode(a, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	s.settled(t, made.ID)
	pods, err := s.kube.CoreV1().Pods("observability").List(t.Context(), metav1.ListOptions{LabelSelector: "app=loki"})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of Loki, want 1", len(pods.Items))
	}
	query := url.Values{"query": {fmt.Sprintf(`{service_name=~".+"} | trace_id=%q`, trace)}, "limit": {"500"},
		"start": {strconv.FormatInt(time.Now().Add(-10*time.Minute).UnixNano(), 10)}}
	lines := map[string]int{}
	eventually(t, time.Minute, func() error {
		body, err := s.fetch(t, "observability", pods.Items[0].Name, 3100, "/loki/api/v1/query_range?"+query.Encode())
		if err != nil {
			return err
		}
		var answer struct {
			Data struct {
				Result []struct {
					Stream map[string]string
					Values [][]any
				}
			}
		}
		if err := json.NewDecoder(body).Decode(&answer); err != nil {
			return err
		}
		clear(lines)
		for _, stream := range answer.Data.Result {
			lines[stream.Stream["service_name"]] += len(stream.Values)
		}
		for _, service := range []string{"orders", "catalog", "users"} {
			if lines[service] == 0 {
				return fmt.Errorf("Loki has no line of %s in trace %s: %v", service, trace, lines)
			}
		}
		return nil
	})
	rows := [][]any{{"OF", "LINES"}}
	for _, name := range sorted(lines) {
		rows = append(rows, []any{name, lines[name]})
	}
	table(t, "The logs of an order, by its trace id, in Loki", rows...)
}
