package proof

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// mirrored is what becomes of requests while the canary gets copies.
type mirrored struct{ asked, copies int }

// mirrors has the canary get copies of half the requests and none itself, and fail at all of them: nobody notices, and what
// writes is never done twice.
func (m *mesh) mirrors(p *platform) (o mirrored, err error) {
	const n, low, high = 400, 35, 65
	p.edit("services/catalog/service.yaml", "weight: 10", "weight: 0, mirror: 50")
	defer p.edit("services/catalog/service.yaml", "weight: 0, mirror: 50", "weight: 10")
	if err := p.sync(); err != nil {
		return o, err
	}
	if err := m.follow(os.DirFS(p.root), nil); err != nil {
		return o, err
	}
	if _, err := m.awaitShare(0, 0); err != nil {
		return o, err
	}
	canary := m.pods["catalog-v2-0"].app
	defer m.behave(nil)()
	canary.behave(always(http.StatusInternalServerError))
	for range n {
		if a := m.catalog(patient, http.MethodGet, product); a.status != http.StatusOK || a.version == "v2" {
			return o, fmt.Errorf("%w: a request got %s of %q", errWrong, a.detail(), a.version)
		}
		if a := m.catalog(patient, http.MethodPost, products); a.status != http.StatusOK || a.version == "v2" {
			return o, fmt.Errorf("%w: a request that writes got %s of %q", errWrong, a.detail(), a.version)
		}
	}
	// Nobody waits for a copy, so the last ones may still be on their way.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Second); 100*canary.count(http.MethodGet, product) < low*n && time.Now().Before(deadline); {
		<-tick.C
	}
	o = mirrored{n, canary.count(http.MethodGet, product)}
	originals := m.count("catalog", http.MethodGet, product) - o.copies
	switch writes := canary.count(http.MethodPost, ""); {
	case 100*o.copies < low*n || 100*o.copies > high*n:
		return o, fmt.Errorf("%w: of %d requests, %d were copied at a mirror of 50 %%", errWrong, n, o.copies)
	case originals != n:
		return o, fmt.Errorf("%w: %d requests arrived %d times, besides their copies", errWrong, n, originals)
	case writes != 0 || m.count("catalog", http.MethodPost, products) != n:
		return o, fmt.Errorf("%w: %d requests that write were copied", errWrong, writes)
	}
	return o, nil
}
