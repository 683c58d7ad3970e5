package proof

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	networking "istio.io/api/networking/v1alpha3"
)

// claim is something that the mesh is said to do, as one question with one answer.
type claim struct {
	name string
	hold func(*mesh, *platform) error
}

// claims are all of them, the quick ones first. The platform is the one that the mesh runs: testdata/shop.
func claims() []claim {
	all := []claim{
		{"who may ask whom", func(m *mesh, _ *platform) error { return m.firstWrong(m.edges, m.strangers) }},
		{"stores", func(m *mesh, _ *platform) error { return m.firstWrong(m.storeEdges) }},
		{"hosts outside", func(m *mesh, _ *platform) error { return m.firstWrong(m.egress) }},
		{"the gateway", func(m *mesh, _ *platform) error { return m.firstWrongVisit() }},
	}
	for _, b := range behaviours {
		all = append(all, claim{b.name, func(m *mesh, _ *platform) error {
			_, err := b.prove(m)
			return err
		}})
	}
	return append(all,
		claim{"the canary gets copies", func(m *mesh, p *platform) error {
			_, err := m.mirrors(p)
			return err
		}},
		claim{"a replica that fails is left out", func(m *mesh, p *platform) error {
			_, err := m.outliers(p)
			return err
		}})
}

// errWrong is what came of a request that should not have.
var errWrong = errors.New("not as declared")

func (m *mesh) firstWrong(ask ...func() ([]edge, error)) error {
	for _, edges := range ask {
		all, err := edges()
		if err != nil {
			return err
		}
		for _, e := range all {
			if !e.sidecar.ok() || !e.bypass.ok() {
				return fmt.Errorf("%w: %s", errWrong, e)
			}
		}
	}
	return nil
}

func (m *mesh) firstWrongVisit() error {
	visits, err := m.visits()
	if err != nil {
		return err
	}
	for _, v := range visits {
		if !v.ok() {
			return fmt.Errorf("%w: %s", errWrong, v)
		}
	}
	return m.sentToHTTPS()
}

// ejected is the statistic that says how many replicas of catalog a sidecar sends nothing to.
const ejected = `cluster\.outbound\|8090\|v1\|catalog\..*outlier_detection\.ejections_active`

// outlier is what a caller sees while one of three replicas fails.
type outlier struct {
	off, on float64 // share of errors in percent, without outlier detection and once it has found the replica
	first   int     // requests until then
}

// outliers lets one of three replicas fail, without outlier detection and with it.
func (m *mesh) outliers(p *platform) (o outlier, err error) {
	p.edit("services/catalog/service.yaml", "consecutive5xx: 1000", "consecutive5xx: 5")
	p.edit("services/catalog/service.yaml", "weight: 10", "weight: 0")
	if err := p.sync(); err != nil {
		return o, err
	}
	m.pods["catalog-0"].app.behave(always(http.StatusServiceUnavailable))
	defer m.pods["catalog-0"].app.behave(nil)
	if err := m.follow(os.DirFS(p.root), withoutOutliers); err != nil {
		return o, err
	}
	if _, err := m.awaitShare(0, 0); err != nil {
		return o, err
	}
	const n = 1000
	if o.off = m.failures(n); o.off < 20 {
		return o, fmt.Errorf("%w: without the policy, only %.1f %% of the requests fail", errWrong, o.off)
	}
	if err := m.follow(os.DirFS(p.root), nil); err != nil {
		return o, err
	}
	for active := 0; active == 0; o.first++ {
		m.failures(1)
		if active, err = m.pods[impatient].envoy.stat(ejected); err != nil {
			return o, err
		}
		if o.first > n {
			return o, fmt.Errorf("%w: no replica is ejected after %d requests", errWrong, o.first)
		}
	}
	if o.on = m.failures(n); o.on >= 1 {
		return o, fmt.Errorf("%w: with the policy, %.1f %% of the requests fail", errWrong, o.on)
	}
	return o, nil
}

// failures sends requests without retries and gives the share of errors in percent.
func (m *mesh) failures(n int) float64 {
	failed := 0
	for range n {
		if m.catalog(impatient, http.MethodGet, product).status != http.StatusOK {
			failed++
		}
	}
	return 100 * float64(failed) / float64(n)
}

func withoutOutliers(m *manifests) {
	for _, c := range m.istio {
		if rule, ok := c.Spec.(*networking.DestinationRule); ok && rule.TrafficPolicy != nil {
			rule.TrafficPolicy.OutlierDetection = nil
		}
	}
}

// awaitShare sends requests until the share of v2 among the last ones, in percent, is between the two, and gives it.
func (m *mesh) awaitShare(from, to int) (share int, err error) {
	const window = 200
	for range 100 {
		v2 := 0
		for range window {
			if m.catalog(patient, http.MethodGet, product).version == "v2" {
				v2++
			}
		}
		if share = 100 * v2 / window; from <= share && share <= to {
			return share, nil
		}
	}
	return share, fmt.Errorf("%w: the share of v2 is %d %%, not %d to %d", errWrong, share, from, to)
}
