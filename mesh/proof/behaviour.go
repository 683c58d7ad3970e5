package proof

import (
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// behaviour is a promise of the mesh beyond who may call whom. It is proven with orders and reports, which call catalog, in the
// platform of testdata/shop: orders with retries and a second's time, reports without retries and with 400 ms.
type behaviour struct {
	name  string
	prove func(*mesh) (figure string, err error)
}

// behaviours are shown one after the other on one mesh; each leaves it as it was.
var behaviours = []behaviour{
	{"the canary gets its share", canaryShare},
	{"the header leads to the canary", canaryHeader},
	{"GET is sent again after 5xx", getAgain},
	{"GET is sent again after a lost connection", getAgainAfterReset},
	{"GET without declared retries is sent once", getOnce},
	{"POST is sent once, whatever comes of it", postOnce},
	{"a call ends with its timeout", callTimeout},
	{"each attempt has its own limit", perTryTimeout},
	{"what does not fit the pool is refused at once", poolOverflow},
	{"no spelling of a path leads around a policy", samePath},
	{"the gateway refuses what is too much", rateLimit},
}

// The callers and operations that behaviours are shown with.
const (
	patient   = "orders-0"  // timeout 1s, attempts 3, perTry 300ms
	impatient = "reports-0" // timeout 400ms, attempts 1
	product   = "/v1/products/7"
	products  = "/v1/products"
)

// catalog asks catalog as a caller's application would.
func (m *mesh) catalog(from, method, path string, header ...string) answer {
	return m.send(from, method, m.declared.host("catalog"), m.declared.service("catalog").HTTP.Port, path, header...)
}

// behave makes all pods of catalog answer so, and gives a function that takes it back.
func (m *mesh) behave(h http.HandlerFunc) (undo func()) {
	for _, p := range m.replicas("catalog") {
		p.app.behave(h)
		p.app.forget()
	}
	return func() {
		for _, p := range m.replicas("catalog") {
			p.app.behave(nil)
		}
	}
}

func canaryShare(m *mesh) (string, error) {
	const requests, low, high = 5000, 8, 12
	versions := map[string]int{}
	for range requests {
		a := m.catalog(patient, http.MethodGet, product)
		if a.status != http.StatusOK {
			return "", fmt.Errorf("a request got %s", a.detail())
		}
		versions[a.version]++
	}
	share := 100 * float64(versions["v2"]) / requests
	figure := fmt.Sprintf("%.1f %% of %d requests at a weight of 10", share, requests)
	if share < low || share > high {
		return "", fmt.Errorf("v2 got %s", figure)
	}
	return figure, nil
}

func canaryHeader(m *mesh) (string, error) {
	const requests = 200
	for range requests {
		if a := m.catalog(patient, http.MethodGet, product, "X-Canary", "always"); a.version != "v2" {
			return "", fmt.Errorf("a request with the header got %s of %q", a.detail(), a.version)
		}
	}
	return fmt.Sprintf("%d of %d requests", requests, requests), nil
}

// sent sends requests while catalog behaves so, and tells how many were answered with 200 and how many arrived.
func (m *mesh) sent(h http.HandlerFunc, n int, from, method, path string) (answered, arrived int) {
	defer m.behave(h)()
	for range n {
		if m.catalog(from, method, path).status == http.StatusOK {
			answered++
		}
	}
	return answered, m.count("catalog", method, path)
}

// someFail answers every other request with an error, of each kind in turn.
func someFail() http.HandlerFunc {
	return inTurn(http.StatusServiceUnavailable, http.StatusOK, http.StatusBadGateway, http.StatusOK, http.StatusGatewayTimeout, http.StatusOK)
}

func getAgain(m *mesh) (string, error) {
	const n = 60
	answered, arrived := m.sent(someFail(), n, patient, http.MethodGet, product)
	figure := fmt.Sprintf("%d of %d succeed, in %d attempts, as every other fails", answered, n, arrived)
	if answered != n || arrived != 2*n {
		return "", fmt.Errorf("%w: %s", errWrong, figure)
	}
	return figure, nil
}

func getAgainAfterReset(m *mesh) (string, error) {
	const n = 30
	var turn atomic.Int64
	answered, arrived := m.sent(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 1 {
			hangUp(w, r)
		}
	}, n, patient, http.MethodGet, product)
	figure := fmt.Sprintf("%d of %d succeed, in %d attempts, as every other is cut off", answered, n, arrived)
	if answered != n || arrived != 2*n {
		return "", fmt.Errorf("%w: %s", errWrong, figure)
	}
	return figure, nil
}

func getOnce(m *mesh) (string, error) {
	const n = 60
	answered, arrived := m.sent(someFail(), n, impatient, http.MethodGet, product)
	figure := fmt.Sprintf("%d requests arrive %d times, and %d fail, as every other does", n, arrived, n-answered)
	if arrived != n || answered != n/2 {
		return "", fmt.Errorf("%w: %s", errWrong, figure)
	}
	return figure, nil
}

func postOnce(m *mesh) (string, error) {
	const n = 60
	kinds := map[string]http.HandlerFunc{
		"5xx":         inTurn(http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusInternalServerError),
		"cut off":     hangUp,
		"no answer":   never,
		"every other": someFail(),
	}
	figure := ""
	for _, kind := range []string{"5xx", "cut off", "no answer", "every other"} {
		requests := n
		if kind == "no answer" {
			requests = 2 // each takes its whole time
		}
		answered, arrived := m.sent(kinds[kind], requests, patient, http.MethodPost, products)
		if arrived != requests || kind != "every other" && answered != 0 {
			return "", fmt.Errorf("%s: %d requests arrived %d times, %d succeeded", kind, requests, arrived, answered)
		}
		figure += fmt.Sprintf(", %s: %d of %d", kind, arrived, requests)
	}
	return "arrived: " + figure[2:], nil
}

// median sends requests that get no answer, and gives the middle of the times that they took.
func (m *mesh) median(n int, from, method, path string) (time.Duration, error) {
	defer m.behave(never)()
	var times []time.Duration
	for range n {
		a := m.catalog(from, method, path)
		if a.status != http.StatusGatewayTimeout {
			return 0, fmt.Errorf("a request without an answer got %s", a.detail())
		}
		times = append(times, a.took)
	}
	slices.Sort(times)
	return times[n/2], nil
}

func callTimeout(m *mesh) (string, error) {
	figure := ""
	for _, c := range []struct {
		from, method, path string
		declared           time.Duration
	}{{patient, http.MethodPost, products, time.Second}, {impatient, http.MethodGet, product, 400 * time.Millisecond}} {
		took, err := m.median(5, c.from, c.method, c.path)
		if err != nil {
			return "", err
		}
		if (took - c.declared).Abs() > c.declared/10 {
			return "", fmt.Errorf("%s has %v and got 504 after %v", c.from, c.declared, took)
		}
		figure += fmt.Sprintf(", %v for %v", took.Round(time.Millisecond), c.declared)
	}
	return "504 after " + figure[2:], nil
}

func perTryTimeout(m *mesh) (string, error) {
	defer m.behave(never)()
	a := m.catalog(patient, http.MethodGet, product)
	arrived := m.count("catalog", http.MethodGet, product)
	figure := fmt.Sprintf("%s after %d attempts and %v", a, arrived, a.took.Round(time.Millisecond))
	if a.status != http.StatusGatewayTimeout || arrived != 3 || a.took < 850*time.Millisecond || a.took > 1100*time.Millisecond {
		return "", fmt.Errorf("%w: %s: %s", errWrong, figure, a.detail())
	}
	return figure, nil
}

// poolOverflow fills the pool of catalog's canary: three connections and two requests that wait for one.
func poolOverflow(m *mesh) (string, error) {
	const n, connections, fit, quick = 30, 3, 5, 250 * time.Millisecond
	release := make(chan struct{})
	defer m.behave(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})()
	answers := make(chan answer, n)
	var senders sync.WaitGroup
	for i := range n {
		senders.Go(func() { answers <- m.catalog(patient, http.MethodPost, products, "X-Canary", "always") })
		// Requests wait while a connection is made, too, so the connections come first.
		for begin := time.Now(); i < connections && m.count("catalog", http.MethodPost, products) <= i && time.Since(begin) < time.Second; {
			runtime.Gosched()
		}
	}
	var slowest time.Duration
	var failed error
	for range n - fit {
		a := <-answers
		slowest = max(slowest, a.took)
		if a.status != http.StatusServiceUnavailable {
			failed = fmt.Errorf("a request too many got %s", a.detail())
		}
	}
	close(release)
	senders.Wait()
	for range fit {
		if a := <-answers; a.status != http.StatusOK {
			failed = fmt.Errorf("a request that fits got %s", a.detail())
		}
	}
	if failed == nil && slowest > quick {
		failed = fmt.Errorf("a request too many waited for %v", slowest)
	}
	return fmt.Sprintf("%d of %d get 503, the last after %v", n-fit, n, slowest.Round(time.Millisecond)), failed
}

// follow makes istiod serve what is rendered at the root, as kubectl apply would.
func (m *mesh) follow(root fs.FS, change func(*manifests)) error {
	manifests, err := readManifests(root)
	if err != nil {
		return err
	}
	if change != nil {
		change(manifests)
	}
	return m.istiod.apply(upstream(manifests.istio))
}
