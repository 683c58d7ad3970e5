package proof

import (
	"fmt"
	"net/http"
)

// spellings of the path of an operation that orders did not declare, each of which the policy for the one beside it, that orders
// did declare, must not let in.
var spellings = []string{
	"/v1/products/search",
	"/v1/products//search",
	"/v1/products%2Fsearch",
	"/v1/products/./search",
	"/v1/products/7/../search",
	"/v1/products/7/%2E%2E/search",
	"/v1/products/sear%63h",
	"/v1/products/%73%65%61%72%63%68",
}

// samePath asks for them. What a path means to Envoy's policies it must mean to the service.
func samePath(m *mesh) (string, error) {
	defer m.behave(nil)()
	for _, path := range spellings {
		if a := m.catalog(patient, http.MethodGet, path); a.status != http.StatusForbidden {
			return "", fmt.Errorf("%w: %s got %s", errWrong, path, a.detail())
		}
	}
	if n := m.count("catalog", "", "/"); n != 0 {
		return "", fmt.Errorf("%w: %d of them arrived", errWrong, n)
	}
	a := m.catalog(patient, http.MethodGet, "/v1/products/%37")
	for _, p := range m.replicas("catalog") {
		if last, ok := p.app.last(); ok && last.uri != product {
			return "", fmt.Errorf("%w: an escaped 7 arrived as %s", errWrong, last.uri)
		}
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("%w: an escaped 7 got %s", errWrong, a.detail())
	}
	return fmt.Sprintf("%d spellings of /v1/products/search get 403; /v1/products/%%37 arrives as %s", len(spellings), product), nil
}
