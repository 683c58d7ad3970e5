//go:build kind

package kind

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/trellis-mesh/trellis/internal/cluster"
	"github.com/trellis-mesh/trellis/internal/cluster/load"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../.."

// shop is the platform as it runs on the cluster, and what the requests of most tests are about.
type shop struct {
	*cluster.Platform
	kube      kubernetes.Interface
	config    *rest.Config
	browser   *http.Client
	namespace string
	gateway   string // https://trellis.localhost

	customer, product, order string // ids
}

var (
	openShop = sync.OnceValues(open)
	probes   = &pods{running: map[string]*probe{}}
)

// toolDir is where commands are that the tests build.
var toolDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kind-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	toolDir = dir
	code := m.Run()
	if err := errors.Join(probes.remove(), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, "clean up:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// theShop is the one that all tests share.
func theShop(t *testing.T) *shop {
	t.Helper()
	s, err := openShop()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open() (*shop, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		return nil, err
	}
	platform, err := cluster.New(cluster.Options{Root: root, Model: model})
	if err != nil {
		return nil, err
	}
	s := &shop{Platform: platform, namespace: model.Platform.Namespace, browser: platform.Browser(), gateway: "https://" + model.Platform.Gateway.Hosts[0]}
	if s.config, err = platform.Open(ctx); err != nil {
		return nil, err
	}
	s.config.QPS, s.config.Burst = 50, 100
	if s.kube, err = kubernetes.NewForConfig(s.config); err != nil {
		return nil, err
	}
	left := metav1.ListOptions{LabelSelector: probeLabel + "=" + probeName} // by a run that was killed
	if err := s.kube.CoreV1().Pods(s.namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, left); err != nil {
		return nil, err
	}
	if err := s.stock(ctx); err != nil {
		return nil, err
	}
	return s, until(ctx, func() error { // what the loads ask for
		a, err := s.ask(ctx, "GET", "/v1/payments/"+s.order, nil, nil)
		if err != nil {
			return err
		}
		return decode(a, http.StatusOK, &struct{}{})
	})
}

// stock makes a customer, a product and an order. Right after a rollout, a first request may find the way not ready: it is tried again.
func (s *shop) stock(ctx context.Context) error {
	return until(ctx, func() (err error) {
		if s.customer, err = s.newCustomer(ctx, "Ada"); err != nil {
			return err
		}
		if s.product, err = s.newProduct(ctx); err != nil {
			return err
		}
		if err := s.fill(ctx, s.product); err != nil {
			return err
		}
		placed, err := s.place(ctx, nil)
		s.order = placed.ID
		return err
	})
}

// until calls fn again until it is content or ctx ends.
func until(ctx context.Context, fn func() error) error {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// eventually fails the test when fn is not content in time.
func eventually(t *testing.T, within time.Duration, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := until(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

// pause lets a load go on for a while.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func decode(a load.Answer, status int, into any) error {
	if a.Status != status {
		return fmt.Errorf("status %d instead of %d: %s%s", a.Status, status, a.Body, a.Error)
	}
	return json.Unmarshal([]byte(a.Body), into)
}

// ask sends a request through the gateway with a token of all scopes.
func (s *shop) ask(ctx context.Context, method, path string, header map[string]string, body any) (load.Answer, error) {
	token, err := s.Token(ctx)
	if err != nil {
		return load.Answer{}, err
	}
	sent := load.Request{Method: method, URL: s.gateway + path, Header: map[string]string{"Authorization": "Bearer " + token}}
	for name, value := range header {
		sent.Header[name] = value
	}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return load.Answer{}, err
		}
		sent.Body = string(raw)
	}
	return sent.Send(ctx, s.browser), nil
}

// create makes something through the gateway and gives its id.
func (s *shop) create(ctx context.Context, path string, body any) (string, error) {
	a, err := s.ask(ctx, "POST", path, nil, body)
	if err != nil {
		return "", err
	}
	var made struct{ ID string }
	if err := decode(a, http.StatusCreated, &made); err != nil {
		return "", fmt.Errorf("POST %s: %w", path, err)
	}
	return made.ID, nil
}

func (s *shop) newCustomer(ctx context.Context, name string) (string, error) {
	return s.create(ctx, "/v1/users", map[string]string{"name": name, "email": unique() + "@example.com"})
}

func (s *shop) newProduct(ctx context.Context) (string, error) {
	return s.create(ctx, "/v1/products", map[string]any{"sku": unique(), "name": "tea", "price": map[string]string{"amount": "12.50", "currency": "EUR"}})
}

// fill puts more of a product on the shelf than all tests order.
func (s *shop) fill(ctx context.Context, product string) error {
	a, err := s.ask(ctx, "PUT", "/v1/stock/"+product, nil, map[string]any{"onHand": 1_000_000})
	if err != nil {
		return err
	}
	return decode(a, http.StatusOK, &struct{}{})
}

// settled waits until an order is completed or cancelled.
func (s *shop) settled(t *testing.T, id string) (p placed) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		a, err := s.ask(t.Context(), "GET", "/v1/orders/"+id, nil, nil)
		if err != nil {
			return err
		}
		if err := decode(a, http.StatusOK, &p); err != nil {
			return err
		}
		if p.Status == "confirmed" {
			return fmt.Errorf("the order %s is neither completed nor cancelled", id)
		}
		return nil
	})
	return p
}

// placed is what the tests look at in an order.
type placed struct {
	ID, Status, Reason string
	Customer           struct{ Name string }
	Total              struct{ Amount string }
}

// place orders two pieces of the product.
func (s *shop) place(ctx context.Context, header map[string]string) (placed, error) {
	var p placed
	a, err := s.ask(ctx, "POST", "/v1/orders", header, s.orderOf(2))
	if err != nil {
		return p, err
	}
	return p, decode(a, http.StatusCreated, &p)
}

func (s *shop) orderOf(quantity int) map[string]any {
	return map[string]any{"customerId": s.customer, "items": []any{map[string]any{"productId": s.product, "quantity": quantity}}}
}

// unique is a word that nothing in the databases has.
func unique() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "kind-" + hex.EncodeToString(raw[:])
}

// traffic is what most loads send through the gateway: every service takes part in it. What is counted under a name with GET may be
// sent again without harm.
func (s *shop) traffic(t *testing.T) []load.Request {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(s.orderOf(1))
	if err != nil {
		t.Fatal(err)
	}
	bearer := map[string]string{"Authorization": "Bearer " + token}
	get := func(name, path string) load.Request {
		return load.Request{Name: "GET " + name, Method: "GET", URL: s.gateway + path, Header: bearer}
	}
	product, order := get("product", "/v1/products/"+s.product), get("order", "/v1/orders/"+s.order)
	return []load.Request{
		product, order, get("keys", "/.well-known/jwks.json"), get("stock", "/v1/stock/"+s.product), get("payment", "/v1/payments/"+s.order),
		get("shipment", "/v1/shipments/"+s.order), get("articles", "/v1/articles?limit=3"), get("balances", "/v1/balances?limit=3"), get("messages", "/v1/messages?customerId="+s.customer),
		get("product, by the gateway", limited+"products/"+s.product), get("order's details, by bff-web", limited+"orders/"+s.order+"/details"),
		get("dashboard, by bff-mobile", limited+"mobile/dashboard?userId="+s.customer), get("suppliers, by legacy", limited+"suppliers"),
		{Name: "POST order", Method: "POST", URL: s.gateway + "/v1/orders", Header: bearer, Body: string(body)},
	}
}

// start sends load through the gateway until the test stops it, or ends. What it sends first is not counted: connections are opened,
// and pools filled.
func (s *shop) start(t *testing.T, rate float64, requests []load.Request) runs {
	t.Helper()
	first := s.goOn(t, rate, requests)
	pause(t, 3*time.Second)
	first.Stop()
	return s.goOn(t, rate, requests)
}

// What the service gateway answers for begins so. It lets one client ask 100 times a minute, so it gets its requests more slowly.
const (
	limited     = "/api/"
	limitedRate = 1.4
)

// runs are loads beside each other.
type runs []*load.Run

// Stop ends all of them.
func (r runs) Stop() load.Result {
	all := r[0].Stop()
	for _, run := range r[1:] {
		all = merge(all, run.Stop())
	}
	return all
}

// goOn is start where load was sent a moment ago.
func (s *shop) goOn(t *testing.T, rate float64, requests []load.Request) runs {
	t.Helper()
	var slow, fast []load.Request
	for _, r := range requests {
		if strings.HasPrefix(r.URL, s.gateway+limited) {
			slow = append(slow, r)
		} else {
			fast = append(fast, r)
		}
	}
	var all runs
	for _, plan := range []load.Plan{{Requests: fast, Rate: rate}, {Requests: slow, Rate: limitedRate}} {
		if len(plan.Requests) == 0 {
			continue
		}
		run, err := load.Start(context.WithoutCancel(t.Context()), s.browser, plan)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { run.Stop() })
		all = append(all, run)
	}
	return all
}

// table prints rows under a head.
func table(t *testing.T, title string, rows ...[]any) {
	t.Helper()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a Builder takes everything
	t.Logf("%s\n\n%s\n", title, out.String())
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond)) }

// noneFailed fails the test when a request did, but for those that spared says something of.
func noneFailed(t *testing.T, result load.Result, spared func(name string) bool) {
	t.Helper()
	bad := 0
	for name, c := range result.ByName {
		if c.Failed > 0 && (spared == nil || !spared(name)) {
			t.Errorf("%d of %d requests %s failed: %v", c.Failed, c.Sent, name, c.Statuses)
			bad++
		}
	}
	if bad > 0 {
		for _, f := range result.Failures {
			t.Logf("%s %s: %d %s", f.At.Format("15:04:05.000"), f.Name, f.Status, f.Text)
		}
	}
}
